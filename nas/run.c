#include "nas/run.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/threads.h"
#include "nas/indicators.h"
#include "nas/run_state.h"

/* The price of an item, asked once an architecture; disconnected ones are not even priced. */
static void run_price(struct run *r, struct run_item *item, struct arena tmp)
{
    const struct run_config *c = r->config;
    item->cost = NAN;
    if (!c->keep_disconnected && !c->space->connected(&item->arch)) {
        item->verdict.status = VERDICT_DISCONNECTED;
        return;
    }
    double *known = archmap_get(&r->costs, &item->arch);
    if (known) {
        item->cost = *known;
    } else {
        double start = clock_now_s();
        if (!cost_of(c->cost, &item->arch, &item->cost, tmp)) {
            item->cost = NAN;
        }
        r->seconds[0][RUN_TIME_COST] += clock_now_s() - start;
        archmap_set(&r->costs, &item->arch, item->cost);
    }
    if (!isfinite(item->cost)) {
        item->verdict.status = VERDICT_UNSUPPORTED;
    }
}

/* For a search that looks before it chooses; nothing of it is counted or kept. */
static double run_price_ahead(void *ctx, const struct arch *a)
{
    const struct run *r = ctx;
    double cost;
    return cost_of(r->config->cost, a, &cost, r->memory) && isfinite(cost) ? cost : INFINITY;
}

/* What an interrupted run found out already. The log holds the numbers; why something is infeasible
 * follows from them. */
static void run_replay(struct run *r, struct run_item *item, int i_log)
{
    const struct runlog_row *row = &r->logged[i_log];
    item->replayed = true;
    item->score = row->score;
    item->cost = row->cost;
    item->verdict.status = VERDICT_OK;
    if (!row->feasible) {
        item->verdict.status = isnan(row->cost) ? VERDICT_UNSUPPORTED : VERDICT_DIVERGED;
        if (!r->config->keep_disconnected && !r->config->space->connected(&row->arch)) {
            item->verdict.status = VERDICT_DISCONNECTED;
        }
    }
    if (item->verdict.status != VERDICT_DISCONNECTED) {
        archmap_set(&r->costs, &item->arch, item->cost);
    }
}

/* The score that need not be computed. */
static void run_recall(const struct run_config *c, struct run_item *item)
{
    if (c->known_score) {
        item->score = c->known_score(c->known_score_ctx, &item->arch);
        item->known = true;
    } else if (c->pool) {
        item->known = pool_get(c->pool, &item->canonical, &item->score);
    }
}

static int run_claim(void *ctx, int worker)
{
    struct run *r = ctx;
    return workload_claim(&r->load, worker);
}

static bool run_work(void *ctx, int i, int worker)
{
    struct run *r = ctx;
    struct run_item *item = &r->items[i];
    if (item->replayed || !item->leader) {
        return true;
    }
    if (r->config->stop && r->config->stop(r->config->watch_ctx)) {
        return false;
    }
    if (!item->known && item->err.code == ERR_NONE) {
        run_score_item(r, item, worker);
    }
    return item->err.code == ERR_NONE;
}

static void run_archive(struct run *r, const struct run_item *item)
{
    const struct run_config *c = r->config;
    if (archmap_get(&r->seen, &item->arch)) {
        return;
    }
    archmap_set(&r->seen, &item->arch, 0);
    ASSERT(r->n_archive < r->max_archive);
    struct run_member *m = &r->archive[r->n_archive];
    *m = (struct run_member){
        .arch = item->arch, .score = item->score, .cost = item->cost, .accuracy = NAN};
    m->index = c->space->index(&item->arch);
    m->params = c->space->params(&item->arch, &c->model);
    m->macs = c->space->macs(&item->arch, &c->model);
    if (c->accuracy) {
        m->accuracy = c->accuracy(c->accuracy_ctx, &item->arch);
    }
    r->objectives[2 * r->n_archive] = -item->score;
    r->objectives[2 * r->n_archive + 1] = item->cost;
    r->n_archive++;
    r->status.best_score = r->n_archive == 1 ? m->score : fmax(r->status.best_score, m->score);
}

/* The verdict of item i is complete; called in order, one at a time. */
static void run_done(void *ctx, int i)
{
    struct run *r = ctx;
    struct run_item *item = &r->items[i];
    struct verdict *v = &item->verdict;
    bool scored = v->status == VERDICT_OK || v->status == VERDICT_DIVERGED ||
                  v->status == VERDICT_OVER_BUDGET;
    bool cached = scored && !item->leader;
    if (cached && !item->replayed) {
        item->score = *archmap_get(&r->scores, &item->canonical);
    } else if (scored && item->leader) {
        archmap_set(&r->scores, &item->canonical, item->score);
        r->status.unique++;
    }
    if (v->status == VERDICT_OK && !isfinite(item->score)) {
        v->status = VERDICT_DIVERGED;
    }
    /* Whether memory sufficed is no property of the network: such a one is not shared. */
    if (r->config->pool && item->leader && !item->known && v->status != VERDICT_OVER_BUDGET &&
        r->err.code == ERR_NONE && !(item->replayed && isnan(item->score)) &&
        !pool_add(r->config->pool, &item->canonical, item->score, item->seconds, &r->err)) {
        return;
    }
    bool ok = v->status == VERDICT_OK;
    v->score = ok ? item->score : -DBL_MAX;
    v->cost = isfinite(item->cost) ? item->cost : DBL_MAX;
    v->violation = ok ? 0 : 1;
    v->seconds = item->seconds;
    item->diversity = ok ? item->diversity : 0;
    r->status.evals++;
    r->status.seconds = r->prior_s + clock_now_s() - r->start_s;
    if (ok) {
        run_archive(r, item);
    }
    if (!item->replayed && r->err.code == ERR_NONE) {
        struct runlog_row row = {
            .eval = r->first_eval + i + 1,
            .generation = r->status.generation + 1,
            .arch = item->arch,
            .score = item->score,
            .cost = item->cost,
            .diversity = item->diversity,
            .feasible = ok,
            .cached = cached,
            .seconds = item->seconds,
        };
        if (!runlog_write(&r->log, r->config->space, &row, &r->err)) {
            return;
        }
    }
    r->status.replayed += item->replayed;
    if (r->config->on_eval) {
        r->config->on_eval(r->config->watch_ctx, &r->status);
    }
}

/* chi of each item against the population it will compete with: the current one and all items asked
 * with it. */
static void run_diversity(struct run *r, struct arena tmp)
{
    size_t max = (size_t)r->max_items * 2;
    struct search_member *members = arena_push(&tmp, (size_t)r->max_items, sizeof *members);
    double *cost = arena_push(&tmp, max, sizeof *cost), *chi = arena_push(&tmp, max, sizeof *chi);
    int n = 0, n_members = r->config->search->population(r->search, members, r->max_items);
    for (int i = 0; i < r->n_items; i++) {
        if (isfinite(r->items[i].cost)) {
            cost[n++] = r->items[i].cost;
        }
    }
    for (int i = 0; i < n_members; i++) {
        if (members[i].verdict.status == VERDICT_OK) {
            cost[n++] = members[i].verdict.cost;
        }
    }
    indicators_diversity(chi, cost, n);
    n = 0;
    for (int i = 0; i < r->n_items; i++) {
        r->items[i].diversity = isfinite(r->items[i].cost) ? chi[n++] : 0;
    }
}

/* Get the items of one question ready: replayed, priced, and who of equal cells computes the score.
 */
static bool run_prepare(struct run *r, const struct arch *asked, int n, struct err *e)
{
    struct archmap leaders;
    struct arena tmp = r->memory;
    archmap_init(&leaders, &tmp);
    if (r->config->pool && !pool_refresh(r->config->pool, e)) {
        return false;
    }
    r->n_items = n;
    r->first_eval = r->status.evals;
    for (int i = 0; i < n; i++) {
        struct run_item *item = &r->items[i];
        *item = (struct run_item){.arch = asked[i], .score = NAN, .cost = NAN};
        item->canonical = item->arch;
        if (!r->config->known_score) {
            r->config->space->canonical(&item->arch, &item->canonical);
        }
        int i_log = r->first_eval + i;
        if (i_log < r->n_logged) {
            if (!space_equal(&item->arch, &r->logged[i_log].arch)) {
                err_set(
                    e, ERR_INPUT,
                    "%s/evals.csv: line %d: this search would have asked for another architecture",
                    r->config->dir, i_log + 2);
                return err_hint(e, "the log belongs to another configuration or version; start "
                                   "anew in another folder");
            }
            run_replay(r, item, i_log);
        } else {
            run_price(r, item, tmp);
        }
        bool scored =
            item->verdict.status == VERDICT_OK || item->verdict.status == VERDICT_DIVERGED;
        if (scored && !archmap_get(&r->scores, &item->canonical) &&
            !archmap_get(&leaders, &item->canonical)) {
            item->leader = true;
            if (!item->replayed) {
                run_recall(r->config, item);
            }
            archmap_set(&leaders, &item->canonical, 0);
        }
        /* Infeasible before scoring: nothing to wait for. */
    }
    run_score_share(r);
    run_diversity(r, tmp);
    return true;
}

/* Evaluate what was asked; *complete is false when a stop was asked for in between. */
static bool run_evaluate(struct run *r, const struct arch *asked, int n, bool *complete,
                         struct err *e)
{
    if (!run_prepare(r, asked, n, e)) {
        return false;
    }
    int n_done = threads_ordered(r->config->mc, n, run_claim, run_work, run_done, r);
    if (r->err.code != ERR_NONE) {
        *e = r->err;
        return false;
    }
    for (int i = 0; i < n; i++) {
        if (r->items[i].err.code != ERR_NONE) {
            *e = r->items[i].err;
            return false;
        }
    }
    *complete = n_done == n;
    return true;
}

static void run_tell(struct run *r, struct arena tmp)
{
    struct arch *archs = arena_push(&tmp, (size_t)r->n_items, sizeof *archs);
    struct verdict *verdicts = arena_push(&tmp, (size_t)r->n_items, sizeof *verdicts);
    for (int i = 0; i < r->n_items; i++) {
        archs[i] = r->items[i].arch;
        verdicts[i] = r->items[i].verdict;
    }
    r->config->search->tell(r->search, archs, verdicts, r->n_items);
}

static bool run_init(struct run *r, struct arena *keep, const struct run_config *c, struct err *e)
{
    struct search_options so = c->search_options;
    int n_workers = c->mc->n_threads;
    ASSERT(n_workers >= 1 && n_workers <= RUN_MAX_WORKERS && so.population > 0 &&
           so.generations > 0);
    *r = (struct run){.config = c,
                      .keep = keep,
                      .start_s = clock_now_s(),
                      .max_items = so.population,
                      .log = {.fd = -1}};
    r->status.generations = so.generations;
    r->status.evals_total = so.population * so.generations;
    r->max_archive = r->status.evals_total + 1;
    r->seconds = arena_push_zero(keep, (size_t)n_workers, sizeof *r->seconds);
    r->items = arena_push(keep, (size_t)r->max_items, sizeof *r->items);
    r->work = arena_push(keep, (size_t)r->max_items, sizeof *r->work);
    r->load_memory = arena_carve(keep, workload_plan_bytes(r->max_items, n_workers));
    r->archive = arena_push(keep, (size_t)r->max_archive, sizeof *r->archive);
    r->objectives = arena_push(keep, 2 * (size_t)r->max_archive, sizeof *r->objectives);
    archmap_init(&r->scores, keep);
    archmap_init(&r->costs, keep);
    archmap_init(&r->seen, keep);
    if (!arena_init(&r->memory, c->memory_bytes, e)) {
        return false;
    }
    const char *path = arena_printf(keep, "%s/evals.csv", c->dir);
    if (c->resume && !runlog_read(&r->logged, &r->n_logged, keep, c->space, path, e)) {
        return false;
    }
    for (int i = 0; i < r->n_logged; i++) {
        r->prior_s += r->logged[i].seconds / n_workers;
    }
    r->search = arena_push_zero(keep, 1, c->search->state_bytes(c->space, &so));
    if (c->cost->kind->parallel_safe) { /* no measurement */
        so.price = run_price_ahead;
        so.price_ctx = r;
    }
    c->search->init(r->search, c->space, &so, keep);
    return runlog_open(&r->log, path, c->resume, e);
}

static bool run_loop(struct run *r, struct file_log *generations, bool *interrupted, struct err *e)
{
    const struct run_config *c = r->config;
    struct arch *asked = arena_push(r->keep, (size_t)r->max_items, sizeof *asked);
    int in_generation = 0;
    for (;;) {
        int n = c->search->ask(r->search, asked, r->max_items);
        ASSERT(n >= 0 && n <= r->max_items);
        bool complete = true;
        if (n > 0 && !run_evaluate(r, asked, n, &complete, e)) {
            return false;
        }
        if (!complete) {
            *interrupted = true;
            return true;
        }
        if (n > 0) {
            run_tell(r, r->memory);
        }
        in_generation += n;
        /* The search knows when a generation is over; what is left at the end is one too. */
        bool over = n == 0 || c->search->generation(r->search) >= r->status.generation;
        if (in_generation > 0 && over) {
            in_generation = 0;
            if (!run_files_generation(r, generations, r->memory, e)) {
                return false;
            }
        }
        if (n == 0) {
            return true;
        }
    }
}

/* The network that the search itself names, which may lie beyond the front. */
static void run_answer(const struct run *r, struct run_result *result)
{
    const struct search *search = r->config->search;
    struct arch named;
    if (!search->answer || !search->answer(r->search, &named)) {
        return;
    }
    for (int i = 0; i < r->n_archive && !result->has_answer; i++) {
        if (space_equal(&r->archive[i].arch, &named)) {
            result->answer = r->archive[i];
            result->has_answer = true;
        }
    }
}

static bool run_finish(struct run *r, struct run_result *result, struct err *e)
{
    struct arena tmp = r->memory;
    result->front = arena_push(r->keep, (size_t)r->n_archive + 1, sizeof *result->front);
    result->n_front = run_files_front(r, result->front, tmp);
    run_answer(r, result);
    r->status.front_size = result->n_front;
    r->status.seconds = r->prior_s + clock_now_s() - r->start_s;
    result->status = r->status;
    if (!run_files_advise(r, result, e) ||
        !run_files_write_members(r, "front.csv", result->front, result->n_front, tmp, e) ||
        (r->config->n_shortlist > 0 &&
         !run_files_write_members(r, "shortlist.csv", result->shortlist, result->n_shortlist, tmp,
                                  e)) ||
        !run_files_write_times(r, tmp, e)) {
        return false;
    }
    if (result->n_front == 0 && !result->interrupted) {
        err_set(e, ERR_INFEASIBLE, "none of %d evaluated architectures is feasible on %s",
                r->status.evals, r->config->cost->name);
        return err_hint(e, "more generations, a larger population, or another device");
    }
    return true;
}

bool run_search(struct run_result *result, struct arena *keep, const struct run_config *config,
                struct err *e)
{
    struct run r;
    struct file_log generations = {.fd = -1};
    char path[1024];
    *result = (struct run_result){0};
    bool ok = run_init(&r, keep, config, e) &&
              run_files_open_generations(&generations, &r, path, sizeof path, e) &&
              run_loop(&r, &generations, &result->interrupted, e) && run_finish(&r, result, e);
    file_log_close(&generations);
    file_log_close(&r.log);
    arena_release(&r.memory);
    return ok;
}
