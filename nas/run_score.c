#include "core/clock.h"
#include "nas/run_state.h"

#include <math.h>

/* The network that stands for an item: the score says how deep and wide. */
static struct model_spec scored(const struct run_config *c, const struct run_item *item)
{
    struct model_spec spec = c->model;
    spec.size = c->score_options.size;
    c->space->model(&item->canonical, &spec);
    return spec;
}

static bool build(struct graph **graph, struct arena *keep, const struct run_config *c,
                  struct run_item *item)
{
    struct model_spec spec = scored(c, item);
    return model_build(graph, keep, &spec, &item->err);
}

/*
 * Memory that a network may have without being asked to spare any, and what each worker brings to
 * the memory that all share. On NAS-Bench-201 at batch 32 networks need 30 to 206 MB; above the
 * first they make values again in backward, which brings the largest to 153, and two of these wait
 * for each other. Replaying a search of 20 x 100 on two workers takes 676 s so, 726 where networks
 * may have 128 MiB too, 674 where nobody waits for memory.
 */
static const size_t network_bytes = (size_t)112 << 20, share_bytes = (size_t)128 << 20;

/* How long scoring an item takes, and its memory: nothing where there is nothing to compute. */
static void measure(struct run *r, struct run_item *item, struct workload_item *work)
{
    const struct run_config *c = r->config;
    struct machine mc = machine_serial(c->mc);
    struct arena tmp = r->memory;
    struct graph *graph;
    *work = (struct workload_item){0};
    if (!item->leader || item->replayed || item->known || !build(&graph, &tmp, c, item)) {
        return;
    }
    struct model_spec spec = scored(c, item);
    work->length = (double)c->space->macs(&item->canonical, &spec);
    work->bytes = tmp.used + c->score->plan_bytes(&mc, graph, c->batch);
    if (work->bytes > network_bytes) {
        graph->spare_bytes = item->spare_bytes = work->bytes - network_bytes;
        work->bytes = tmp.used + c->score->plan_bytes(&mc, graph, c->batch);
    }
}

/* Where networks are larger than that, workers share what the largest need less an eighth. */
void run_score_share(struct run *r)
{
    size_t n_workers = (size_t)r->config->mc->n_threads, largest = 0;
    struct arena load_memory = r->load_memory;
    for (int i = 0; i < r->n_items; i++) {
        measure(r, &r->items[i], &r->work[i]);
        bool fits = r->work[i].bytes <= r->memory.cap;
        largest = fits ? MAX(largest, r->work[i].bytes) : largest;
    }
    size_t share = MAX(share_bytes, largest / 8 * 7);
    size_t cap = MAX(largest, n_workers * share) + ARENA_ALIGN;
    workload_init(&r->load, &load_memory, r->work, r->n_items, (int)n_workers,
                  MIN(cap, r->memory.cap) / ARENA_ALIGN * ARENA_ALIGN);
}

/* Build the candidate and score it; runs on a worker. */
void run_score_item(struct run *r, struct run_item *item, int worker)
{
    const struct run_config *c = r->config;
    struct arena tmp = workload_arena(&r->load, &r->memory, worker);
    struct machine mc = machine_serial(c->mc);
    struct graph *graph;
    double start = clock_now_s();
    item->score = NAN;
    if (tmp.cap == 0) {
        item->verdict.status = VERDICT_OVER_BUDGET;
        return;
    }
    if (!build(&graph, &tmp, c, item)) {
        return;
    }
    graph->spare_bytes = item->spare_bytes;
    r->seconds[worker][SCORE_BUILD] += clock_now_s() - start;
    struct score_job job = {
        .mc = &mc,
        .graph = graph,
        .batch = c->batch,
        .options = &c->score_options,
        .seconds = r->seconds[worker],
        .tmp = tmp,
    };
    if (!c->score->run(&job, &item->score, &item->err)) {
        item->score = NAN;
    }
    item->seconds = clock_now_s() - start;
}
