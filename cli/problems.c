#define _GNU_SOURCE
#include "cli/problems.h"

#include "cli/archname.h"
#include "cli/bench.h"
#include "cli/input.h"
#include "core/file.h"
#include "core/problem.h"
#include "nn/model.h"

#include <stdio.h>
#include <string.h>

enum { PROBLEMS_FILE_MAX = 1 << 20 };

static const char *const problems_table[] = {
    "conv:n32h32c16k16r3",       "conv:n32h16c32k32r3",    "conv:n32h8c64k64r3",
    "conv:n32h32c16k16r1",       "conv:n32h16c32k32r1",    "conv:n32h8c64k64r1",
    "conv:n32h32c3k16r3",        "conv:n32h32c16k32r3s2",  "gemm:m1024n64k576",
    "gemm:m32n32k16384",         "net:resnet20:n32:train", "net:nb201:333133:n32:train",
    "net:nb201:333133:n1:infer",
};

int problems_usual_count(void)
{
    return (int)N_ELEMS(problems_table);
}

const char *problems_usual(int i)
{
    ASSERT(i >= 0 && i < problems_usual_count());
    return problems_table[i];
}

static void problems_add(struct problems *p, const char *problem)
{
    if (p->n == p->cap) {
        int cap = MAX(64, 2 * p->cap);
        const char **list = arena_push(p->keep, (size_t)cap, sizeof *list);
        if (p->n > 0) {
            memcpy(list, p->list, (size_t)p->n * sizeof *list);
        }
        p->list = list;
        p->cap = cap;
    }
    p->list[p->n++] = problem;
}

/* Problems one a line; # begins a comment. The text is cut up. */
static void problems_add_lines(struct problems *p, char *text)
{
    for (char *save, *line = strtok_r(text, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        line += strspn(line, " \t\r");
        line[strcspn(line, " \t\r#")] = 0;
        if (line[0]) {
            problems_add(p, line);
        }
    }
}

static bool problems_add_stdin(struct problems *p, struct err *e)
{
    char *text = arena_push(p->keep, PROBLEMS_FILE_MAX, 1);
    size_t n = fread(text, 1, PROBLEMS_FILE_MAX, stdin);
    if (n == PROBLEMS_FILE_MAX) {
        return err_set(e, ERR_INPUT, "standard input: more than %d bytes of problems",
                       (int)PROBLEMS_FILE_MAX);
    }
    text[n] = 0;
    problems_add_lines(p, text);
    return true;
}

bool problems_gather(struct problems *p, const struct options *o, struct arena *keep, struct err *e)
{
    *p = (struct problems){.keep = keep};
    for (int i = 0; i < o->n_args; i++) {
        const char *arg = o->args[i];
        if (strcmp(arg, "-") == 0) {
            if (!problems_add_stdin(p, e)) {
                return false;
            }
        } else if (!strchr(arg, ':') || file_exists(arg)) {
            unsigned char *bytes;
            size_t n;
            if (!file_read(keep, arg, PROBLEMS_FILE_MAX, &bytes, &n, e)) {
                return err_hint(e, "a problem looks like %s; hdnas bench --list shows all forms",
                                PROBLEM_CONV_FORM);
            }
            problems_add_lines(p, (char *)bytes);
        } else {
            problems_add(p, arg);
        }
    }
    for (int i = 0; o->n_args == 0 && i < problems_usual_count(); i++) {
        problems_add(p, problems_usual(i));
    }
    if (p->n == 0) {
        err_set(e, ERR_USAGE, "no problem to measure");
        return err_hint(
            e, "name some as arguments or one a line in a file; hdnas bench --list shows forms");
    }
    return true;
}

/* The problem of a node, NULL where it is none. A transposed convolution is the way back through
 * the convolution that has its output for input (its forward pass is that one's bwd_data). */
static const char *problems_of_node(const struct graph *g, const struct node *node, int n_images,
                                    struct arena *keep)
{
    const struct op_attr *a = &node->attr;
    char *text = arena_push(keep, PROBLEM_CONV_LEN, 1);
    if (!node->op) {
        return NULL;
    }
    struct shape x = g->nodes[node->in[0]].shape, y = node->shape;
    if (strcmp(node->op->name, "linear") == 0) {
        return arena_printf(keep, "gemm:m%dn%dk%d", n_images, y.c, (int)shape_count(x));
    }
    bool back = strcmp(node->op->name, "conv_transpose") == 0;
    if (!back && strcmp(node->op->name, "conv") != 0) {
        return NULL;
    }
    struct conv_shape s = {.n = n_images,
                           .h = back ? y.h : x.h,
                           .w = back ? y.w : x.w,
                           .c = back ? y.c : x.c,
                           .k = back ? x.c : a->k,
                           .kh = a->kernel,
                           .kw = a->kernel,
                           .stride = a->stride,
                           .pad = a->pad,
                           .groups = MAX(1, a->groups)};
    problem_conv_format(text, &s);
    return text;
}

bool problems_of_nets(struct problems *p, const struct options *o, int n_images, struct arena *keep,
                      struct err *e)
{
    *p = (struct problems){.keep = keep};
    for (int i = 0; i < o->n_args; i++) {
        struct model_spec spec;
        struct graph *g;
        if (!input_read(&spec, o, e) || !archname_resolve(&spec, o->args[i], e) ||
            !model_build(&g, keep, &spec, e)) {
            return false;
        }
        for (int k = 0; k < g->n_nodes; k++) {
            const char *problem = problems_of_node(g, &g->nodes[k], n_images, keep);
            bool known = !problem;
            for (int j = 0; j < p->n && !known; j++) {
                known = strcmp(p->list[j], problem) == 0;
            }
            if (!known) {
                problems_add(p, problem);
            }
        }
    }
    return true;
}
