/*
 * The NAS-Bench-201 space: numbering held to a Mersenne Twister written here, check codes and
 * counts as published, all 15,625 rows of the benchmark's table where it is at hand, refusals of
 * what is no architecture; and what every space can do from its alphabet alone.
 */
#include "nas/nb201_order.h"
#include "nas/space.h"
#include "core/csv.h"
#include "tests/nb201.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct arch parsed(const char *text)
{
    struct arch a;
    struct err e = {0};
    if (!nb201()->parse(&a, text, &e)) {
        fail_msg("%s: %s", text, e.text);
    }
    return a;
}

/* MT19937 [Matsumoto1998], seeded as Python's random.seed does: init_by_array. */
struct mt {
    uint32_t s[624];
    int i;
};

static void mt_init(struct mt *m, uint32_t key)
{
    uint32_t *s = m->s;
    s[0] = 19650218u;
    for (uint32_t i = 1; i < 624; i++) {
        s[i] = 1812433253u * (s[i - 1] ^ (s[i - 1] >> 30)) + i;
    }
    uint32_t i = 1;
    for (int k = 0; k < 624; k++) {
        s[i] = (s[i] ^ ((s[i - 1] ^ (s[i - 1] >> 30)) * 1664525u)) + key;
        if (++i == 624) {
            s[0] = s[623];
            i = 1;
        }
    }
    for (int k = 0; k < 623; k++) {
        s[i] = (s[i] ^ ((s[i - 1] ^ (s[i - 1] >> 30)) * 1566083941u)) - i;
        if (++i == 624) {
            s[0] = s[623];
            i = 1;
        }
    }
    s[0] = 0x80000000u;
    m->i = 624;
}

static uint32_t mt_next(struct mt *m)
{
    uint32_t *s = m->s;
    if (m->i == 624) {
        for (int k = 0; k < 624; k++) {
            uint32_t y = (s[k] & 0x80000000u) | (s[(k + 1) % 624] & 0x7fffffffu);
            s[k] = s[(k + 397) % 624] ^ (y >> 1) ^ (y & 1 ? 0x9908b0dfu : 0);
        }
        m->i = 0;
    }
    uint32_t y = s[m->i++];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    return y ^ (y >> 18);
}

static void test_order_is_pythons_shuffle(void **state)
{
    (void)state;
    static uint16_t word[NB201_ORDER_N];
    struct mt m;
    mt_init(&m, 88);
    for (int i = 0; i < NB201_ORDER_N; i++) {
        word[i] = (uint16_t)i;
    }
    for (uint32_t i = NB201_ORDER_N - 1; i > 0; i--) {
        int bits = 32 - __builtin_clz(i + 1);
        uint32_t j;
        do {
            j = mt_next(&m) >> (32 - bits);
        } while (j > i);
        uint16_t swap = word[i];
        word[i] = word[j];
        word[j] = swap;
    }
    for (int i = 0; i < NB201_ORDER_N; i++) {
        assert_int_equal(nb201_order[word[i]], i);
    }
}

static void test_published_codes(void **state)
{
    (void)state;
    static const struct {
        int index;
        const char *code;
    } rows[] = {{0, "421211"},    {1, "334131"},    {9, "400103"},    {123, "442043"},
                {3558, "132323"}, {6111, "333132"}, {9930, "333133"}, {13714, "333123"}};
    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        struct arch a;
        char code[SPACE_TEXT_LEN];
        assert_true(nb201()->from_index(&a, rows[i].index));
        nb201()->code(&a, code);
        assert_string_equal(code, rows[i].code);
        assert_int_equal(nb201()->index(&a), rows[i].index);
    }
}

static void test_every_form_is_read(void **state)
{
    (void)state;
    static const char *const same[] = {
        "13714",
        "013714",
        "333123",
        "code:333123",
        "nb201/13714",
        "nb201:333123",
        "nb201/code:333123",
        ("|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|"
         "skip_connect~0|nor_conv_1x1~1|nor_conv_3x3~2|"),
    };
    struct arch first = parsed(same[0]);
    for (size_t i = 0; i < N_ELEMS(same); i++) {
        struct arch a;
        struct err e = {0};
        if (i == 1) { /* six digits are a code, never an index */
            assert_false(nb201()->parse(&a, same[i], &e));
            continue;
        }
        a = parsed(same[i]);
        assert_true(space_equal(&a, &first));
    }
    struct arch zero = parsed("000000"), index_zero = parsed("0");
    assert_int_equal(nb201()->index(&index_zero), 0);
    assert_int_equal(zero.gene[0] + zero.gene[5], 0);
}

static void test_what_is_no_architecture(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "15625",
                                      "99999",
                                      "333125",
                                      "code:33312",
                                      "code:3331233",
                                      "-1",
                                      "1e3",
                                      "x",
                                      "nb201/",
                                      "|",
                                      "|nor_conv_3x3~0|",
                                      "|nor_conv_5x5~0|+|none~0|none~1|+|none~0|none~1|none~2|",
                                      "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|x",
                                      "|none~0|+|none~1|none~0|+|none~0|none~1|none~2|",
                                      "nb201/nb201/5",
                                      " 5",
                                      "5 ",
                                      "99999999999999999999999"};
    for (size_t i = 0; i < N_ELEMS(bad); i++) {
        struct arch a;
        struct err e = {0};
        if (nb201()->parse(&a, bad[i], &e)) {
            fail_msg("'%s' was taken", bad[i]);
        }
        assert_int_equal(e.code, ERR_INPUT);
        assert_true(strlen(e.text) > 10);
    }
    struct arch a;
    assert_false(nb201()->from_index(&a, -1));
    assert_false(nb201()->from_index(&a, 15625));
    assert_false(nb201()->from_index(&a, 65536));
    const struct space *s;
    struct err e = {0};
    assert_false(space_find(&s, "nb301", &e));
    assert_int_equal(e.code, ERR_USAGE);
}

static struct model_spec spec_of(int h, int w, int c, int n_classes)
{
    return (struct model_spec){.input = {h, w, c}, .n_classes = n_classes};
}

static void test_counts(void **state)
{
    (void)state;
    struct model_spec cifar = spec_of(32, 32, 3, 10);
    struct arch a = parsed("13714"), b = parsed("3558"), c = parsed("0");
    /* METHODS: 153.27 MFLOPs and 1.073 M parameters; 121.82 M and 0.858 M; 0.129306 M parameters.
     */
    assert_int_equal(llround((double)nb201()->macs(&a, &cifar) / 1e4), 15327);
    assert_int_equal(llround((double)nb201()->params(&a, &cifar) / 1e3), 1073);
    assert_int_equal(llround((double)nb201()->macs(&b, &cifar) / 1e4), 12182);
    assert_int_equal(llround((double)nb201()->params(&b, &cifar) / 1e3), 858);
    assert_int_equal(nb201()->params(&c, &cifar), 129306);
    struct arch empty = parsed("000000");
    assert_int_equal(nb201()->macs(&empty, &cifar), 7783050);
    /* One channel, 28 x 28, by hand: stem 9*16*784, blocks on 14 x 14 and 7 x 7. */
    struct model_spec mnist = spec_of(28, 28, 1, 10);
    assert_int_equal(nb201()->macs(&empty, &mnist),
                     112896 + 196 * (4608 + 9216 + 512) + 49 * (18432 + 36864 + 2048) + 650);
    assert_int_equal(nb201()->params(&empty, &cifar) - nb201()->params(&empty, &mnist), 2 * 9 * 16);
    struct model_spec spec = cifar;
    nb201()->model(&a, &spec);
    assert_string_equal(spec.arch, "nb201:333123");
}

/* What the space counts in closed form is what the network itself has; the benchmark adds a
 * multiply-add a class for the classifier's bias. */
static void test_counts_are_the_networks(void **state)
{
    (void)state;
    static const struct model_spec specs[] = {{.input = {32, 32, 3}, .n_classes = 10},
                                              {.input = {28, 28, 1}, .n_classes = 10},
                                              {.input = {16, 16, 3}, .n_classes = 120},
                                              {.input = {64, 20, 4}, .n_classes = 7},
                                              {.input = {8, 8, 1}, .n_classes = 2}};
    struct arena keep;
    struct err e = {0};
    assert_true(arena_init(&keep, (size_t)64 << 20, &e));
    struct rng r = rng_key(2, RNG_TEST, 0);
    for (int i = 0; i < 60; i++) {
        struct arena tmp = keep;
        struct model_spec spec = specs[i % N_ELEMS(specs)];
        struct graph *g;
        struct arch a;
        spec.size = (struct model_size){i % 4, i % 3 * 5}; /* 0: the published five, 16 */
        space_random(nb201(), &a, &r);
        nb201()->model(&a, &spec);
        if (!model_build(&g, &tmp, &spec, &e)) {
            fail_msg("%s: %s", spec.arch, e.text);
        }
        assert_int_equal(nb201()->params(&a, &spec), graph_param_count(g));
        assert_int_equal(nb201()->macs(&a, &spec), graph_macs(g) + spec.n_classes);
        assert_int_equal(g->n_taps, 3);
        assert_int_equal(g->n_blocks, 3 + 3 * (spec.size.n_cells ? spec.size.n_cells : 5));
    }
    arena_release(&keep);
}

static void test_connected(void **state)
{
    (void)state;
    static const struct {
        const char *code;
        bool connected;
    } rows[] = {{"000000", false}, {"000100", true},  {"300000", false}, {"300010", true},
                {"010001", true},  {"001001", false}, {"301000", false}, {"301001", true},
                {"033000", false}, {"000011", false}};
    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        struct arch a = parsed(rows[i].code);
        assert_int_equal(nb201()->connected(&a), rows[i].connected);
    }
}

static void test_canonical(void **state)
{
    (void)state;
    /* Idempotent, and the classes are as many as the benchmark counts [Dong2020]. */
    int n_classes = 0, n_disconnected = 0;
    for (int i = 0; i < NB201_ORDER_N; i++) {
        struct arch a, c, again;
        assert_true(nb201()->from_index(&a, i));
        nb201()->canonical(&a, &c);
        nb201()->canonical(&c, &again);
        assert_true(space_equal(&c, &again));
        assert_true(nb201()->index(&c) <= i);
        assert_int_equal(nb201()->connected(&a), nb201()->connected(&c));
        n_classes += space_equal(&a, &c);
        n_disconnected += !nb201()->connected(&a);
    }
    assert_int_equal(n_classes, 6466);
    assert_int_equal(n_disconnected, 341);
}

static void test_the_benchmarks_table(void **state)
{
    (void)state;
    const char *root = getenv("HDNAS_TEST_DATA");
    char path[512];
    snprintf(path, sizeof path, "%s/nas/nasbench201.csv", root ? root : "../shared/data");
    if (access(path, R_OK) != 0) {
        print_message("no %s\n", path);
        skip();
    }
    struct arena keep;
    struct err e = {0};
    struct csv t;
    assert_true(arena_init(&keep, (size_t)256 << 20, &e));
    if (!csv_read(&t, &keep, path, &e)) {
        fail_msg("%s", e.text);
    }
    assert_int_equal(t.n_rows, NB201_ORDER_N);
    int index = csv_column(&t, "index"), arch = csv_column(&t, "arch"),
        edges = csv_column(&t, "edges");
    int iso = csv_column(&t, "iso_rep"), params = csv_column(&t, "params_c10"),
        macs = csv_column(&t, "mflops_c10");
    int params100 = csv_column(&t, "params_c100"), macs100 = csv_column(&t, "mflops_c100");
    int params16 = csv_column(&t, "params_in16"), macs16 = csv_column(&t, "mflops_in16");
    struct model_spec c10 = spec_of(32, 32, 3, 10), c100 = spec_of(32, 32, 3, 100),
                      in16 = spec_of(16, 16, 3, 120);
    for (size_t r = 0; r < t.n_rows; r++) {
        char text[SPACE_TEXT_LEN], code[SPACE_TEXT_LEN];
        struct arch a = parsed(csv_cell(&t, r, index)), b = parsed(csv_cell(&t, r, arch)),
                    canonical;
        assert_true(space_equal(&a, &b));
        nb201()->format(&a, text);
        nb201()->code(&a, code);
        assert_string_equal(text, csv_cell(&t, r, arch));
        assert_string_equal(code, csv_cell(&t, r, edges));
        nb201()->canonical(&a, &canonical);
        assert_int_equal(nb201()->index(&canonical), atoi(csv_cell(&t, r, iso)));
        assert_int_equal(nb201()->params(&a, &c10), atoi(csv_cell(&t, r, params)));
        assert_int_equal(nb201()->params(&a, &c100), atoi(csv_cell(&t, r, params100)));
        assert_int_equal(nb201()->params(&a, &in16), atoi(csv_cell(&t, r, params16)));
        assert_int_equal(nb201()->macs(&a, &c10), llround(1e6 * atof(csv_cell(&t, r, macs))));
        assert_int_equal(nb201()->macs(&a, &c100), llround(1e6 * atof(csv_cell(&t, r, macs100))));
        /* Five decimals of 10^6: the last digit is rounded. */
        assert_true(fabs((double)nb201()->macs(&a, &in16) - 1e6 * atof(csv_cell(&t, r, macs16))) <=
                    5.0 + 1e-6);
    }
    arena_release(&keep);
}

static void test_random_neighbours_mutation_crossover(void **state)
{
    (void)state;
    const struct space *s = nb201();
    struct rng r = rng_key(1, RNG_TEST, 0);
    int seen[6][5] = {{0}};
    for (int i = 0; i < 5000; i++) {
        struct arch a;
        space_random(s, &a, &r);
        for (int g = 0; g < s->n_genes; g++) {
            seen[g][a.gene[g]]++;
        }
    }
    for (int g = 0; g < 6; g++) {
        for (int c = 0; c < 5; c++) {
            assert_in_range(seen[g][c], 880, 1120); /* 1000 +- 4 sigma (28.3) */
        }
    }
    struct arch a = parsed("333123"), near[30], child;
    assert_int_equal(space_neighbours(s, &a, near, 30), 24);
    for (int i = 0; i < 24; i++) {
        int n_different = 0;
        for (int g = 0; g < SPACE_MAX_GENES; g++) {
            n_different += near[i].gene[g] != a.gene[g];
        }
        assert_int_equal(n_different, 1);
        for (int j = 0; j < i; j++) {
            assert_false(space_equal(&near[i], &near[j]));
        }
    }
    assert_int_equal(space_neighbours(s, &a, near, 7), 7);
    child = a;
    space_mutate(s, &child, 0, &r);
    assert_true(space_equal(&child, &a));
    space_mutate(s, &child, 1, &r);
    for (int g = 0; g < 6; g++) {
        assert_int_not_equal(child.gene[g], a.gene[g]);
    }
    struct arch b = parsed("400000");
    int from_b = 0;
    for (int i = 0; i < 1000; i++) {
        space_crossover(s, &a, &b, &child, &r);
        for (int g = 0; g < 6; g++) {
            assert_true(child.gene[g] == a.gene[g] || child.gene[g] == b.gene[g]);
            from_b += child.gene[g] == b.gene[g];
        }
    }
    assert_in_range(from_b, 2800, 3200);
    space_crossover(s, &a, &b, &a, &r); /* the child may be a parent */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_is_pythons_shuffle),
        cmocka_unit_test(test_published_codes),
        cmocka_unit_test(test_every_form_is_read),
        cmocka_unit_test(test_what_is_no_architecture),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_counts_are_the_networks),
        cmocka_unit_test(test_connected),
        cmocka_unit_test(test_canonical),
        cmocka_unit_test(test_the_benchmarks_table),
        cmocka_unit_test(test_random_neighbours_mutation_crossover),
    };
    return cmocka_run_group_tests_name("nas_space", tests, NULL, NULL);
}
