/* benches.c: the kinds of benchmark problems. */
#include "cli/bench.h"

#include <string.h>

static const struct bench_kind *const bench_kinds[] = {&bench_conv, &bench_gemm,  &bench_gram,
                                                       &bench_net,  &bench_score, &bench_stream};

int bench_count(void)
{
    return (int)N_ELEMS(bench_kinds);
}

const struct bench_kind *bench_at(int i)
{
    ASSERT(i >= 0 && i < bench_count());
    return bench_kinds[i];
}

bool bench_open(struct bench_case cases[BENCH_MAX_CASES], int *n, struct arena *keep,
                const char *problem, const struct bench_request *request, struct err *e)
{
    for (size_t i = 0; i < N_ELEMS(bench_kinds); i++) {
        size_t len = strlen(bench_kinds[i]->name);
        if (strncmp(problem, bench_kinds[i]->name, len) == 0 && problem[len] == ':') {
            return bench_kinds[i]->open(cases, n, keep, problem + len + 1, request, e);
        }
    }
    err_set(e, ERR_USAGE, "unknown kind of problem: %.80s", problem);
    return err_hint(e, "hdnas bench --list shows the forms");
}
