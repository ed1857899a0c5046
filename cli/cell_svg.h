/* cell_svg.h: the picture of a cell: its nodes in a row, its operations as labelled arcs. */
#ifndef CLI_CELL_SVG_H
#define CLI_CELL_SVG_H

#include "core/arena.h"
#include "nas/space.h"

/* A complete <svg> element in the arena, for a file of its own or inside a page (no style element,
 * no ids; text and nodes take the colour of the text around them, operations bring their own,
 * readable on light and on dark). Spaces without cells give a row of their genes. */
const char *cell_svg(struct arena *keep, const struct space *space, const struct arch *a);

#endif
