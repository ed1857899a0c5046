#include "cli/forms.h"

#include "cli/bench.h"
#include "cli/json.h"
#include "cli/problems.h"
#include "core/conv.h"
#include "core/kernels.h"

#include <string.h>

/* Names of the tiers in this build, of a kernel; those that this processor cannot run in brackets.
 */
static void forms_tiers(struct text *line)
{
    for (int t = 0; t < CPU_N_TIERS; t++) {
        if (kernels_of((enum cpu_tier)t)) {
            const char *name = cpu_tier_name((enum cpu_tier)t);
            text_printf(line, cpu_has((enum cpu_tier)t) ? " %s" : " (%s)", name);
        }
    }
}

static void forms_text(struct arena *keep)
{
    struct text line;
    text_init(&line, keep);
    text_add(&line, "");
    forms_tiers(&line);
    for (int i = 0; i < bench_count(); i++) {
        printf("# %s: %s\n", bench_at(i)->form, bench_at(i)->help);
    }
    printf("# algorithms of convolutions:");
    for (int a = CONV_AUTO; a < CONV_N_ALGOS; a++) {
        printf(" %s", conv_algo_name((enum conv_algo)a));
    }
    printf("\n# kernels, with their tiers (in brackets: not on this processor):\n");
    for (int i = 0; i < kernels_count(); i++) {
        printf("#   %-24s%s\n", kernels_name(i), line.s);
    }
    puts("# the usual problems:");
    for (int i = 0; i < problems_usual_count(); i++) {
        puts(problems_usual(i));
    }
}

static void forms_json(struct arena *keep)
{
    struct json j;
    json_init(&j, keep);
    json_object(&j, NULL);
    json_array(&j, "kinds");
    for (int i = 0; i < bench_count(); i++) {
        json_object(&j, NULL);
        json_text(&j, "form", bench_at(i)->form);
        json_text(&j, "help", bench_at(i)->help);
        json_end(&j);
    }
    json_end(&j);
    json_array(&j, "usual");
    for (int i = 0; i < problems_usual_count(); i++) {
        json_text(&j, NULL, problems_usual(i));
    }
    json_end(&j);
    json_array(&j, "algorithms");
    for (int a = CONV_AUTO; a < CONV_N_ALGOS; a++) {
        json_text(&j, NULL, conv_algo_name((enum conv_algo)a));
    }
    json_end(&j);
    json_array(&j, "kernels");
    for (int i = 0; i < kernels_count(); i++) {
        json_object(&j, NULL);
        json_text(&j, "name", kernels_name(i));
        json_array(&j, "tiers");
        for (int t = 0; t < CPU_N_TIERS; t++) {
            if (kernels_of((enum cpu_tier)t)) {
                json_text(&j, NULL, cpu_tier_name((enum cpu_tier)t));
            }
        }
        json_end(&j);
        json_end(&j);
    }
    json_end(&j);
    json_end(&j);
    json_print(&j, stdout);
}

void forms_print(const struct options *o, struct arena *keep)
{
    if (o->json) {
        forms_json(keep);
    } else {
        forms_text(keep);
    }
}
