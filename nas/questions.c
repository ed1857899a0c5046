#include "nas/questions.h"

#include <math.h>

void questions_init(struct questions *q, int cap, struct arena *keep)
{
    *q = (struct questions){.cap = cap};
    q->archs = arena_push(keep, (size_t)cap, sizeof *q->archs);
    q->verdicts = arena_push(keep, (size_t)cap, sizeof *q->verdicts);
}

void questions_reset(struct questions *q)
{
    q->n = q->n_given = q->n_told = 0;
}

void questions_add(struct questions *q, const struct arch *a)
{
    ASSERT(q->n < q->cap && q->n_given == 0);
    q->archs[q->n++] = *a;
}

bool questions_open(const struct questions *q)
{
    return q->n_told < q->n;
}

int questions_give(struct questions *q, struct arch *out, int max)
{
    ASSERT(max > 0 && q->n_given == q->n_told);
    int n = MIN(max, q->n - q->n_given);
    for (int i = 0; i < n; i++) {
        out[i] = q->archs[q->n_given + i];
    }
    q->n_given += n;
    return n;
}

void questions_tell(struct questions *q, const struct arch *archs, const struct verdict *verdicts,
                    int n)
{
    ASSERT(n == q->n_given - q->n_told);
    for (int i = 0; i < n; i++) {
        const struct verdict *v = &verdicts[i];
        ASSERT(space_equal(&archs[i], &q->archs[q->n_told]));
        ASSERT(!isnan(v->score) && !isnan(v->cost) && v->violation >= 0);
        q->verdicts[q->n_told++] = *v;
    }
}

double questions_violation(const struct verdict *v)
{
    return v->status == VERDICT_OK || v->violation > 0 ? v->violation : 1;
}
