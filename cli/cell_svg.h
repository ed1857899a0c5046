/* cell_svg.h: the picture of a cell: its nodes in a row, its operations as labelled arcs. */
#ifndef CLI_CELL_SVG_H
#define CLI_CELL_SVG_H

#include "core/arena.h"
#include "nas/space.h"

/* A complete <svg> element in the arena, for a file of its own or inside a page: no style element,
 * no ids; text and nodes take the colour of the text around them, operations bring their own,
 * readable on light and on dark. An edge without operation is dotted; what lies on no path from
 * input to output is faint. Spaces without cells give a row of their genes. */
const char *cell_svg(struct arena *keep, const struct space *space, const struct arch *a);

/* The same as text for Graphviz; "none" is left out. */
const char *cell_svg_dot(struct arena *keep, const struct space *space, const struct arch *a);

/* The same for a terminal: one line a node, what it is the sum of. "" for spaces without cells. */
const char *cell_svg_formula(struct arena *keep, const struct space *space, const struct arch *a);

#endif
