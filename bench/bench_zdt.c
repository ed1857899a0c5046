/*
 * NSGA-II on the ZDT problems [Zitzler2000]: population 100, 25,000 evaluations, thirty seeds. One
 * row a problem: least, median and greatest hypervolume up to (1, 1), what is expected of the
 * median, and what no front can exceed. About 15 s. Usage: bench_zdt [SEEDS]
 */
#include "tests/zdt.h"

#include <stdio.h>
#include <stdlib.h>

static int double_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    enum { MAX_SEEDS = 1000 };
    int n = argc > 1 ? atoi(argv[1]) : 30;
    struct arena tmp;
    struct err e;
    if (n < 1 || n > MAX_SEEDS || !arena_init(&tmp, (size_t)64 << 20, &e)) {
        fprintf(stderr, "usage: bench_zdt [SEEDS], 1 to %d\n", MAX_SEEDS);
        return 2;
    }
    puts("problem,seeds,least,median,greatest,wanted,supremum");
    for (int i = 0; i < ZDT_N; i++) {
        const struct zdt_problem *p = &zdt_problems[i];
        double volume[MAX_SEEDS];
        for (int k = 0; k < n; k++) {
            volume[k] = zdt_hypervolume(p, 100, 250, (uint64_t)k + 1, tmp);
        }
        qsort(volume, (size_t)n, sizeof *volume, double_compare);
        printf("%s,%d,%.5f,%.5f,%.5f,%.4f,%.5f\n", p->name, n, volume[0],
               .5 * (volume[(n - 1) / 2] + volume[n / 2]), volume[n - 1], p->median_wanted,
               p->supremum);
    }
    arena_release(&tmp);
    return 0;
}
