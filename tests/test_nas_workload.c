/* Whose turn it is: order of begin, memory that items at work share, results in order all the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/rng.h"
#include "core/threads.h"
#include "nas/workload.h"

enum { N = 200, WORKERS = 4 };

struct fixture {
    struct arena arena;
    struct workload_item items[N];
    struct workload load;
    int n_begun, order[N];
    int n_working, most_working;
    int n_done;
    bool ended[N];
};

static int setup(void **state)
{
    static struct fixture f;
    struct err e;
    f = (struct fixture){0};
    assert_true(arena_init(&f.arena, (size_t)1 << 20, &e));
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    arena_release(&f->arena);
    return 0;
}

static int fixture_claim(void *ctx, int worker)
{
    struct fixture *f = ctx;
    int i = workload_claim(&f->load, worker);
    if (i >= 0) {
        f->order[f->n_begun++] = i;
    }
    return i;
}

/* Alone: the last 16 with something to compute go by length, those before by index. */
static void test_turns(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < N; i++) {
        f->items[i].length = i % 2 == 0 ? (i * 37) % 101 + 1 : 0;
    }
    workload_init(&f->load, &f->arena, f->items, N, 1, 0);
    for (int i; (i = fixture_claim(f, 0)) >= 0;) {
    }
    assert_int_equal(f->n_begun, N);
    int tail = N - 32;
    for (int i = 0; i < tail; i++) {
        assert_int_equal(f->order[i], i);
    }
    for (int i = tail; i < N; i++) {
        assert_true(f->order[i] >= tail);
        assert_true(i == tail || f->items[f->order[i - 1]].length >= f->items[f->order[i]].length);
        assert_int_equal(f->items[f->order[i]].length > 0, i < tail + 16);
    }
}

/* Every item once; those at work lie apart from each other, within the range. */
static void test_places(void **state)
{
    struct fixture *f = *state;
    const size_t cap = 1000 * ARENA_ALIGN;
    struct rng r = rng_key(5, RNG_ARCH, 0);
    bool seen[N] = {false};
    for (int i = 0; i < N; i++) {
        f->items[i] = (struct workload_item){1, (1 + rng_below(&r, 600)) * ARENA_ALIGN - 7};
    }
    workload_init(&f->load, &f->arena, f->items, N, WORKERS, cap);
    int left = N, waits = 0, together = 0;
    bool at_work[WORKERS] = {false};
    while (left > 0) {
        int worker = (int)rng_below(&r, WORKERS);
        int i = workload_claim(&f->load, worker);
        at_work[worker] = i >= 0;
        if (i == THREADS_WAIT) {
            waits++;
            assert_true(at_work[0] || at_work[1] || at_work[2] || at_work[3]);
            continue;
        }
        assert_in_range(i, 0, N - 1);
        assert_false(seen[i]);
        seen[i] = true;
        left--;
        const struct workload_slot *own = &f->load.slots[worker];
        assert_true(own->bytes >= f->items[i].bytes && own->at + own->bytes <= cap);
        for (int k = 0; k < WORKERS; k++) {
            const struct workload_slot *s = &f->load.slots[k];
            together += k != worker && s->bytes > 0;
            assert_true(k == worker || s->bytes == 0 || s->at >= own->at + own->bytes ||
                        own->at >= s->at + s->bytes);
        }
    }
    assert_true(waits > 0 && together > N / 2);
}

/* Two that fill the range exactly run together, whoever comes first and whatever was there before.
 */
static void test_two_fill(void **state)
{
    struct fixture *f = *state;
    static const size_t units[] = {3, 7, 6, 4, 9, 1, 5, 5};
    for (int i = 0; i < 8; i++) {
        f->items[i] = (struct workload_item){8 - i, units[i] * ARENA_ALIGN};
    }
    workload_init(&f->load, &f->arena, f->items, 8, 2, 10 * ARENA_ALIGN);
    for (int i = 0; i < 8; i += 2) {
        f->load.slots[0] = f->load.slots[1] = (struct workload_slot){0};
        int first = i / 2 % 2;
        assert_int_equal(workload_claim(&f->load, first), i);
        assert_int_equal(workload_claim(&f->load, 1 - first), i + 1);
    }
    assert_int_equal(workload_claim(&f->load, 0), THREADS_NONE);
}

/* What fits nowhere is handed out without memory, not waited for. */
static void test_too_large(void **state)
{
    struct fixture *f = *state;
    f->items[0] = (struct workload_item){1, SIZE_MAX};
    workload_init(&f->load, &f->arena, f->items, 1, 1, 64 * ARENA_ALIGN);
    assert_int_equal(workload_claim(&f->load, 0), 0);
    struct arena got = workload_arena(&f->load, &f->arena, 0);
    assert_int_equal(got.cap, 0);
}

static bool fixture_work(void *ctx, int i, int worker)
{
    struct fixture *f = ctx;
    struct arena own = workload_arena(&f->load, &f->arena, worker);
    unsigned char *p = arena_push(&own, f->items[i].bytes, 1);
    for (int round = 0; round < 20; round++) {
        for (size_t k = 0; k < f->items[i].bytes; k++) {
            p[k] = (unsigned char)(round == 0 ? i : p[k] + 1);
        }
    }
    bool ok = true;
    for (size_t k = 0; k < f->items[i].bytes; k++) {
        ok = ok && p[k] == (unsigned char)(i + 19);
    }
    f->ended[i] = true;
    return ok;
}

static void fixture_done(void *ctx, int i)
{
    struct fixture *f = ctx;
    assert_int_equal(i, f->n_done);
    assert_true(f->ended[i]);
    f->n_done++;
}

/* With real threads: nobody writes into another's memory, results come in order. */
static void test_threads(void **state)
{
    struct fixture *f = *state;
    struct machine mc = {.n_threads = WORKERS};
    for (int i = 0; i < N; i++) {
        f->items[i] = (struct workload_item){(i * 37) % 101, (size_t)(1 + i % 60) * 64};
    }
    workload_init(&f->load, &f->arena, f->items, N, WORKERS, 80 * 64);
    f->arena.used = 0;
    struct workload_slot slots[WORKERS] = {{0}};
    bool begun[N] = {false};
    int turns[N];
    memcpy(turns, f->load.turns, sizeof turns);
    f->load.turns = turns; /* out of the range that is written to */
    f->load.begun = begun;
    f->load.slots = slots;
    assert_int_equal(threads_ordered(&mc, N, fixture_claim, fixture_work, fixture_done, f), N);
    assert_int_equal(f->n_done, N);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_turns, setup, teardown),
        cmocka_unit_test_setup_teardown(test_places, setup, teardown),
        cmocka_unit_test_setup_teardown(test_two_fill, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_large, setup, teardown),
        cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
