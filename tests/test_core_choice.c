/*
 * Tuned tables: what is read decides what CONV_AUTO stands for, whatever the number of images and
 * threads; what is refused, and on which line; cut off at every byte.
 */
#define _GNU_SOURCE
#include "core/choice.h"

#include "tests/scratch.h"

#include <stdint.h>

#define HEAD "problem,direction,tier,precision,threads,algo,ms\n"
static const char good[] = HEAD "conv:n32h8w8c16k16r3s1p1g1,fwd,ref,fp32,1,direct,1.5\n"
                                "conv:n32h8w8c16k16r3s1p1g1,bwd_data,ref,fp32,1,winograd,1\n"
                                "conv:n1h8c16k16r3g16,fwd,ref,fp32,1,direct,\n"
                                "conv:h8c4k4r3,bwd_weights,ref,fp32,2,winograd,x\n"
                                "conv:h8c16k16r3,bwd_weights,neon,fp32,1,depthwise,1\n"
                                "conv:h8c16k16r3,fwd,ref,bf16,1,winograd,1\n";

static bool read_text(struct scratch *s, struct choice *c, const struct machine *mc,
                      const char *text, size_t n, struct err *e)
{
    scratch_write(s, "tune.csv", text, n);
    s->arena.used = 0;
    return choice_read(c, &s->arena, s->path, mc, e);
}

static struct conv_shape shape(int n, int h, int c, int k, int kernel, int groups)
{
    struct conv_shape s = {.n = n,
                           .h = h,
                           .w = h,
                           .c = c,
                           .k = k,
                           .kh = kernel,
                           .kw = kernel,
                           .stride = 1,
                           .pad = kernel / 2,
                           .groups = groups};
    struct err e;
    assert_true(conv_shape_init(&s, &e));
    return s;
}

static void the_table_decides(void **state)
{
    struct scratch *s = *state;
    struct choice c;
    struct machine mc;
    struct err e = {0};
    assert_true(machine_init(&mc, "ref", 1, &e));
    if (!read_text(s, &c, &mc, good, sizeof good - 1, &e)) {
        fail_msg("%s", e.text);
    }
    assert_int_equal(c.n, 4); /* the rows of another tier and precision are not for it */
    assert_int_equal(strlen(c.sha256), 64);
    const struct conv_shape dense = shape(32, 8, 16, 16, 3, 1), depth = shape(7, 8, 16, 16, 3, 16);
    const struct conv_shape few = shape(2, 8, 4, 4, 3, 1), other = shape(32, 9, 16, 16, 3, 1);
    assert_int_equal(conv_choose(&mc, &dense, CONV_FWD), CONV_WINOGRAD); /* our own choices */
    assert_int_equal(conv_choose(&mc, &depth, CONV_FWD), CONV_DEPTHWISE);
    assert_int_equal(conv_choose(&mc, &few, CONV_BWD_WEIGHTS), CONV_DIRECT);
    mc.choice = &c;
    assert_int_equal(conv_choose(&mc, &dense, CONV_FWD), CONV_DIRECT);
    assert_int_equal(conv_choose(&mc, &dense, CONV_BWD_DATA), CONV_WINOGRAD);
    assert_int_equal(conv_choose(&mc, &depth, CONV_FWD), CONV_DIRECT);
    assert_int_equal(conv_choose(&mc, &few, CONV_BWD_WEIGHTS), CONV_WINOGRAD);
    assert_int_equal(conv_choose(&mc, &few, CONV_FWD), CONV_DIRECT); /* not in the table */
    assert_int_equal(conv_choose(&mc, &other, CONV_FWD), CONV_WINOGRAD);
    for (int n = 1; n < 200; n *= 3) { /* neither images nor threads enter */
        struct conv_shape more = shape(n, 8, 16, 16, 3, 1);
        mc.n_threads = n;
        assert_int_equal(conv_choose(&mc, &more, CONV_FWD), CONV_DIRECT);
    }
    struct machine serial = machine_serial(&mc);
    assert_ptr_equal(serial.choice, &c);
    assert_int_equal(serial.n_threads, 1);
}

/* What AUTO stands for is computed too, not only told. */
static void the_choice_is_taken(void **state)
{
    struct scratch *s = *state;
    struct choice c;
    struct machine mc;
    struct err e = {0};
    const struct conv_shape shape8 = shape(1, 8, 16, 16, 3, 1);
    enum { N = 8 * 8 * 16, NW = 9 * 16 * 16 };
    float x[N], w[NW], y[3][N];
    for (int i = 0; i < NW; i++) {
        w[i] = 1.0F / (float)(i % 7 + 1);
    }
    for (int i = 0; i < N; i++) {
        x[i] = 1.0F / (float)(i % 11 + 1);
    }
    assert_true(machine_init(&mc, "ref", 1, &e));
    assert_true(read_text(s, &c, &mc, good, sizeof good - 1, &e));
    conv_forward(&mc, y[0], x, w, &shape8, false, NULL, CONV_AUTO, s->arena);
    conv_forward(&mc, y[1], x, w, &shape8, false, NULL, CONV_DIRECT, s->arena);
    assert_memory_not_equal(y[0], y[1], sizeof y[0]); /* Winograd rounds otherwise */
    mc.choice = &c;
    assert_true(conv_scratch_bytes(&mc, &shape8, CONV_FWD, CONV_AUTO) ==
                conv_scratch_bytes(&mc, &shape8, CONV_FWD, CONV_DIRECT));
    conv_forward(&mc, y[2], x, w, &shape8, false, NULL, CONV_AUTO, s->arena);
    assert_memory_equal(y[2], y[1], sizeof y[0]);
}

static void bad_tables_are_refused(void **state)
{
    struct scratch *s = *state;
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"", "empty"},
        {"problem,direction,tier,precision\n", "line 1: no column algo"},
        {"a,b\n1,2\n", "no column problem: this is no tuned table"},
        {HEAD "conv:h8c4k4r3,fwd,ref,fp32,1,direct\n", "line 2: expected 7 fields"},
        {HEAD "conv:h8c4k4,fwd,ref,fp32,1,direct,1\n", "line 2: problem h8c4k4: lacks r"},
        {HEAD "conv:h8c4k4r3,forward,ref,fp32,1,direct,1\n",
         "line 2, column direction: expected fwd, bwd_data or bwd_weights, found \"forward\""},
        {HEAD "conv:h8c4k4r3,fwd,sse,fp32,1,direct,1\n", "column tier: expected ref"},
        {HEAD "conv:h8c4k4r3,fwd,ref,f64,1,direct,1\n", "column precision: expected fp32 or bf16"},
        {HEAD "conv:h8c4k4r3,fwd,ref,fp32,1,fft,1\n", "column algo: expected an algorithm"},
        {HEAD "conv:h8c4k4r3,fwd,ref,fp32,1,auto,1\n", "found \"auto\""},
        {HEAD "conv:h8c4k4r3,fwd,ref,fp32,1,,1\n", "found \"\""},
        {HEAD "\nconv:h8c4k4r3,fwd,ref,fp32,1,direct,1\n", "line 2: expected 7 fields"},
        {HEAD "conv:h8c4k4r3,fwd,ref,fp32,1,depthwise,1\n", "line 2: depthwise cannot do"},
        {HEAD "conv:n1h8c4k4r3,fwd,ref,fp32,1,direct,1\nconv:h8c4k4r3,fwd,neon,fp32,1,direct,1\n"
              "conv:n9h8c4k4r3,fwd,ref,fp32,1,winograd,1\n",
         "line 4: the shape, direction, tier and precision of line 2 again"},
    };
    struct machine mc;
    struct err e = {0};
    assert_true(machine_init(&mc, "ref", 1, &e));
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        struct choice c;
        if (read_text(s, &c, &mc, cases[i].text, strlen(cases[i].text), &e)) {
            fail_msg("took: %s", cases[i].text);
        }
        scratch_expect(&e, ERR_INPUT, cases[i].part);
        assert_non_null(strstr(e.text, "tune.csv"));
    }
    struct choice c;
    assert_false(choice_read(&c, &s->arena, scratch_path(s, "nothing"), &mc, &e));
    scratch_expect(&e, ERR_INPUT, "nothing");
}

/* Cut anywhere, a table is refused or holds fewer rows; nothing is made up. */
static void cut_tables(void **state)
{
    struct scratch *s = *state;
    struct machine mc;
    struct err e = {0};
    assert_true(machine_init(&mc, "ref", 1, &e));
    for (size_t n = 0; n < sizeof good - 1; n++) {
        struct choice c = {0};
        if (read_text(s, &c, &mc, good, n, &e)) {
            assert_true(c.n >= 0 && c.n <= 4);
            for (int i = 0; i < c.n; i++) {
                assert_true(c.rows[i].algo == CONV_DIRECT || c.rows[i].algo == CONV_WINOGRAD);
            }
        } else {
            assert_int_equal(e.code, ERR_INPUT);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_table_decides, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(the_choice_is_taken, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(bad_tables_are_refused, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(cut_tables, scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
