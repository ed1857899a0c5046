#include "cli/cell_svg.h"

#include <math.h>
#include <string.h>

#include "cli/text.h"

enum { N_NODES = 4, N_EDGES = 6 };

/* One way of drawing an operation of NAS-Bench-201. */
static const struct {
    const char *label, *name, *colour;
} ops[] = {
    {"", "none", "currentColor"},
    {"skip", "skip_connect", "#8a8fa0"},
    {"conv 1\303\2271", "nor_conv_1x1", "#2f86d1"},
    {"conv 3\303\2273", "nor_conv_3x3", "#d9602b"},
    {"avg pool 3\303\2273", "avg_pool_3x3", "#2c9d76"},
};

/* About how far the middle of an edge rises above the row of nodes, in pixels; what crosses is kept
 * apart. */
static const struct {
    int from, to;
    double rise;
} edges[N_EDGES] = {{0, 1, 0}, {0, 2, 40}, {1, 2, 0}, {0, 3, 84}, {1, 3, -40}, {2, 3, 0}};

static const double width = 520, height = 200, first_x = 42, step_x = 145, row_y = 118, radius = 17;
static const double arrow_length = 9, arrow_half = 4;

/* live[i]: edge i lies on a path from input to output. */
static void find_live(const struct arch *a, bool live[N_EDGES])
{
    bool reached[N_NODES] = {true}, used[N_NODES] = {[N_NODES - 1] = true};
    for (int i = 0; i < N_EDGES; i++) { /* sorted by `to`: a node is complete before it is left */
        if (a->gene[i] != 0 && reached[edges[i].from]) {
            reached[edges[i].to] = true;
        }
    }
    for (int from = N_NODES - 2; from >= 0; from--) {
        for (int i = 0; i < N_EDGES; i++) {
            if (edges[i].from == from && a->gene[i] != 0 && used[edges[i].to]) {
                used[from] = true;
            }
        }
    }
    for (int i = 0; i < N_EDGES; i++) {
        live[i] = a->gene[i] != 0 && reached[edges[i].from] && used[edges[i].to];
    }
}

/* A quadratic curve from rim to rim, its arrow head, its label on the middle. */
static void draw_edge(struct text *t, int i, int op, bool live)
{
    double x0 = first_x + step_x * edges[i].from, x2 = first_x + step_x * edges[i].to;
    double x1 = .5 * (x0 + x2), y1 = row_y - 2 * edges[i].rise; /* the curve reaches half as high */
    double length = hypot(x2 - x1, row_y - y1);
    double dx = (x2 - x1) / length, dy = (row_y - y1) / length; /* direction in which it arrives */
    double sx = x0 + dx * radius, sy = row_y - dy * radius;
    double ex = x2 - dx * (radius + arrow_length), ey = row_y - dy * (radius + arrow_length);
    if (op == 0) {
        ex = x2 - dx * radius;
        ey = row_y - dy * radius;
    }
    text_printf(t, "<path d=\"M%.1f %.1fQ%.1f %.1f %.1f %.1f\" fill=\"none\" stroke=\"%s\" ", sx,
                sy, x1, y1, ex, ey, ops[op].colour);
    if (op == 0) {
        text_add(t, "stroke-width=\"1\" stroke-dasharray=\"1 5\" opacity=\".45\"/>\n");
        return;
    }
    const char *faint = live ? "" : " opacity=\".4\"";
    text_printf(t, "stroke-width=\"%s\"%s/>\n", op == 1 ? "1.6" : "2.6", faint);
    text_printf(t, "<path d=\"M%.1f %.1fL%.1f %.1fL%.1f %.1fZ\" fill=\"%s\"%s/>\n",
                ex + dx * arrow_length, ey + dy * arrow_length, ex - dy * arrow_half,
                ey + dx * arrow_half, ex + dy * arrow_half, ey - dx * arrow_half, ops[op].colour,
                faint);
    double middle = .25 * (sy + 2 * y1 + ey); /* of the curve */
    double label_y = middle + (edges[i].rise < 0 ? 17 : -7);
    text_printf(t, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\" fill=\"%s\"%s>%s</text>\n",
                x1, label_y, ops[op].colour, faint, ops[op].label);
}

static void draw_nodes(struct text *t)
{
    static const char *const labels[N_NODES] = {"in", "1", "2", "out"};
    for (int i = 0; i < N_NODES; i++) {
        double x = first_x + step_x * i;
        text_printf(
            t,
            "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\" fill=\"none\" stroke=\"currentColor\" "
            "stroke-width=\"1.5\"/>\n",
            x, row_y, radius);
        text_printf(
            t,
            "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\" fill=\"currentColor\">%s</text>\n",
            x, row_y + 4.5, labels[i]);
    }
}

static void svg_begin(struct text *t, double w, double h, const char *title)
{
    text_printf(
        t,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" "
        "height=\"%.0f\" role=\"img\" font-family=\"system-ui,sans-serif\" "
        "font-size=\"13\">\n<title>",
        w, h, w, h);
    text_escape(t, title);
    text_add(t, "</title>\n");
}

static bool has_cells(const struct space *space)
{
    return strcmp(space->name, "nb201") == 0;
}

const char *cell_svg(struct arena *keep, const struct space *space, const struct arch *a)
{
    struct text t;
    char title[SPACE_TEXT_LEN];
    text_init(&t, keep);
    space->format(a, title);
    if (!has_cells(space)) {
        svg_begin(&t, 24. * space->n_genes, 24, title);
        for (int i = 0; i < space->n_genes; i++) {
            text_printf(
                &t,
                "<text x=\"%d\" y=\"17\" text-anchor=\"middle\" fill=\"currentColor\">%d</text>\n",
                24 * i + 12, a->gene[i]);
        }
        text_add(&t, "</svg>\n");
        return t.s;
    }
    bool live[N_EDGES];
    find_live(a, live);
    svg_begin(&t, width, height, title);
    for (int i = 0; i < N_EDGES; i++) {
        draw_edge(&t, i, a->gene[i], live[i]);
    }
    draw_nodes(&t);
    text_add(&t, "</svg>\n");
    return t.s;
}

const char *cell_svg_dot(struct arena *keep, const struct space *space, const struct arch *a)
{
    struct text t;
    char name[SPACE_TEXT_LEN];
    text_init(&t, keep);
    space->format(a, name);
    text_printf(&t, "digraph \"%s\" {\n", name);
    if (has_cells(space)) {
        text_add(
            &t, "    rankdir=LR; node [shape=circle];\n    0 [label=\"in\"]; 3 [label=\"out\"];\n");
        for (int i = 0; i < N_EDGES; i++) {
            if (a->gene[i] != 0) {
                text_printf(&t, "    %d -> %d [label=\"%s\", color=\"%s\"];\n", edges[i].from,
                            edges[i].to, ops[a->gene[i]].name, ops[a->gene[i]].colour);
            }
        }
    }
    text_add(&t, "}\n");
    return t.s;
}

const char *cell_svg_formula(struct arena *keep, const struct space *space, const struct arch *a)
{
    static const char *const nodes[N_NODES] = {"in", "node 1", "node 2", "out"};
    struct text t;
    text_init(&t, keep);
    text_add(&t, "");
    for (int to = 1; to < N_NODES && has_cells(space); to++) {
        bool first = true;
        text_printf(&t, "%-9s  ", nodes[to]);
        for (int i = 0; i < N_EDGES; i++) {
            if (edges[i].to == to && a->gene[i] != 0) {
                text_printf(&t, "%s%s(%s)", first ? "= " : " + ", ops[a->gene[i]].name,
                            nodes[edges[i].from]);
                first = false;
            }
        }
        text_add(&t, first ? "= 0\n" : "\n");
    }
    return t.s;
}
