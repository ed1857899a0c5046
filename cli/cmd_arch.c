#include "cli/archlist.h"
#include "cli/archname.h"
#include "cli/cell_svg.h"
#include "cli/cmds.h"
#include "cli/input.h"
#include "cli/json.h"
#include "core/file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct option_spec arch_options[] = {
    INPUT_OPTIONS,
    {"space", OPTION_TEXT, "NAME", "nb201", "search space", 0, 0},
    {"dot", OPTION_FLAG, NULL, NULL, "print the cell as Graphviz text instead", 0, 0},
    {"svg", OPTION_TEXT, "FILE", NULL, "draw the cell into an SVG file; one architecture", 0, 0},
};

/* All there is to say of one architecture. */
struct facts {
    char arch[SPACE_TEXT_LEN], code[SPACE_TEXT_LEN], canonical[SPACE_TEXT_LEN];
    int64_t index, canonical_index, params, macs;
    bool connected;
};

static struct facts facts_of(const struct space *s, const struct arch *a,
                             const struct model_spec *spec)
{
    struct facts f;
    struct arch canonical;
    s->canonical(a, &canonical);
    s->format(a, f.arch);
    s->code(a, f.code);
    s->format(&canonical, f.canonical);
    f.index = s->index(a);
    f.canonical_index = s->index(&canonical);
    f.params = s->params(a, spec);
    f.macs = s->macs(a, spec);
    f.connected = s->connected(a);
    return f;
}

static void facts_json(struct json *j, const struct facts *f)
{
    json_object(j, NULL);
    archname_index_json(j, f->index);
    json_text(j, "arch", f->arch);
    json_text(j, "code", f->code);
    json_text(j, "canonical", f->canonical);
    json_int(j, "canonical_index", f->canonical_index);
    json_bool(j, "connected", f->connected);
    json_int(j, "params", f->params);
    json_int(j, "macs", f->macs);
    json_end(j);
}

static void facts_print(const struct facts *f, const struct space *s, const struct arch *a,
                        struct arena tmp)
{
    if (f->index >= 0) {
        printf("index      %" PRId64 "\n", f->index);
    }
    printf("code       %s\n", f->code);
    printf("arch       %s\n", f->arch);
    if (strcmp(f->canonical, f->arch) == 0) {
        printf("canonical  itself\n");
    } else {
        char index[24];
        printf("canonical  %s%s%s\n", archname_index(index, f->canonical_index),
               f->canonical_index >= 0 ? "  " : "", f->canonical);
    }
    printf("connected  %s\n", f->connected ? "yes" : "no: the output does not depend on the input");
    printf("params     %" PRId64 "\n", f->params);
    printf("macs       %" PRId64 "\n", f->macs);
    printf("%s", cell_svg_formula(&tmp, s, a));
}

static bool arch_run(const struct options *o, struct arena *keep, struct err *e)
{
    const struct space *space;
    struct model_spec spec;
    struct arch *archs = NULL;
    int n = 0;
    const char *svg = options_text(o, "svg");
    if (!space_find(&space, options_text(o, "space"), e) || !input_read(&spec, o, e) ||
        !archlist_read(&archs, &n, keep, space, o, e)) {
        return false;
    }
    if (svg && n != 1) {
        return err_set(e, ERR_USAGE, "--svg draws one architecture, %d were given", n);
    }
    if (svg) {
        const char *text = cell_svg(keep, space, &archs[0]);
        if (!file_write(svg, text, strlen(text), e)) {
            return false;
        }
    }
    struct json json;
    json_init(&json, keep);
    json_array(&json, NULL);
    for (int i = 0; i < n; i++) {
        struct facts f = facts_of(space, &archs[i], &spec);
        if (o->json) {
            facts_json(&json, &f);
        } else if (options_flag(o, "dot")) {
            struct arena tmp = *keep;
            printf("%s", cell_svg_dot(&tmp, space, &archs[i]));
        } else {
            printf("%s", i > 0 ? "\n" : "");
            facts_print(&f, space, &archs[i], *keep);
        }
    }
    json_end(&json);
    if (o->json) {
        json_print(&json, stdout);
    }
    if (svg && !o->quiet) {
        fprintf(stderr, "drawn: %s\n", svg);
    }
    return true;
}

const struct cmd cmd_arch = {
    .name = "arch",
    .summary = "what an architecture is: its names, its size, its picture",
    .usage = "hdnas arch [options] ARCH...",
    .about = "Takes any name of an architecture of NAS-Bench-201: the benchmark's index (13714), "
             "the six digits of its operations (333123: 0 none, 1 skip, 2 conv 1x1, 3 conv 3x3, 4 "
             "average pool), or its string (quoted: it is full of bars); one a line on standard "
             "input where none is named. Prints index, code and string, the first cell of the same "
             "isomorphism class, parameters and multiply-adds. With --space fbnet: 22 digits, one a "
             "layer (0 to 3 kernel 3 with expansion 1, 1 in two groups, 3, 6; 4 to 7 the same with "
             "kernel 5; 8 skip).",
    .examples = "hdnas arch 13714\n"
                "hdnas arch --json 333123 421211\n"
                "hdnas arch --svg cell.svg '|nor_conv_3x3~0|+|none~0|skip_connect~1|+"
                "|skip_connect~0|none~1|nor_conv_1x1~2|'\n"
                "hdnas arch --image 28x28x1 --classes 10 0\n"
                "hdnas arch --dot 13714 | dot -Tpng -o cell.png\n"
                "hdnas arch --space fbnet --image 224x224x3 --classes 1000 7818488874147327324245",
    .options = arch_options,
    .n_options = (int)N_ELEMS(arch_options),
    .light = true,
    .run = arch_run,
};
