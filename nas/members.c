#include "nas/members.h"

#include "nas/front.h"
#include "nas/indicators.h"
#include "nas/questions.h"

size_t members_scratch_bytes(int n)
{
    return 8 *
           arena_round(2 * (size_t)n * sizeof(double)); /* five arrays here, two in front_sort */
}

void members_rate(struct search_member *members, int n, struct arena tmp)
{
    double *cost = arena_push(&tmp, (size_t)n, sizeof *cost);
    double *chi = arena_push(&tmp, (size_t)n, sizeof *chi);
    double *obj = arena_push(&tmp, (size_t)n, 2 * sizeof *obj);
    double *violation = arena_push(&tmp, (size_t)n, sizeof *violation);
    int *rank = arena_push(&tmp, (size_t)n, sizeof *rank);
    int n_feasible = 0, at = 0;
    for (int i = 0; i < n; i++) {
        const struct verdict *v = &members[i].verdict;
        bool ok = v->status == VERDICT_OK;
        obj[2 * i] = ok ? -v->score : 0;
        obj[2 * i + 1] = ok ? v->cost : 0;
        violation[i] = questions_violation(v);
        if (ok) {
            cost[n_feasible++] = v->cost;
        }
    }
    indicators_diversity(chi, cost, n_feasible);
    front_sort(rank, obj, violation, n, 2, tmp);
    for (int i = 0; i < n; i++) {
        members[i].diversity = members[i].verdict.status == VERDICT_OK ? chi[at++] : 0;
        members[i].rank = rank[i];
    }
}
