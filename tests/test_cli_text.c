/* Text, JSON and tables as they come out: escapes, numbers that read back to the same bits, columns
 * that line up. */
#define _GNU_SOURCE
#include "cli/json.h"
#include "cli/progress.h"
#include "cli/table.h"
#include "cli/term.h"
#include "core/rng.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;

static int open_arena(void **state)
{
    (void)state;
    struct err e;
    return arena_init(&arena, (size_t)64 << 20, &e) ? 0 : -1;
}

static int close_arena(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

static struct text fresh(void)
{
    struct text t;
    text_init(&t, &arena);
    return t;
}

static void text_grows(void **state)
{
    (void)state;
    struct text t = fresh();
    assert_string_equal(t.s, "");
    for (int i = 0; i < 20000; i++) {
        text_printf(&t, "%d,", i % 10);
    }
    assert_int_equal(t.n, 40000);
    assert_int_equal(strlen(t.s), 40000);
    assert_memory_equal(t.s + 39990, "5,6,7,8,9,", 10);
}

static void escapes_are_entities(void **state)
{
    (void)state;
    struct text t = fresh();
    text_escape(&t, "a<b>&\"c'\x01\n\xC3\xA9");
    assert_string_equal(t.s, "a&lt;b&gt;&amp;&quot;c&#39;\xEF\xBF\xBD\n\xC3\xA9");
}

static void numbers_read_back(void **state)
{
    (void)state;
    struct text t = fresh();
    text_number(&t, 0.1);
    text_add(&t, " ");
    text_number(&t, 1.0 / 3);
    text_add(&t, " ");
    text_number(&t, -5e-324);
    text_add(&t, " ");
    text_number(&t, NAN);
    assert_string_equal(t.s, "0.1 0.3333333333333333 -4.94065645841247e-324 null");
    struct rng r = rng_key(1, RNG_TEST, 0);
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = rng_u64(&r);
        double v, back;
        memcpy(&v, &bits, sizeof v);
        if (isfinite(v)) {
            struct arena mark = arena;
            struct text one = fresh();
            text_number(&one, v);
            back = strtod(one.s, NULL);
            assert_memory_equal(&back, &v, sizeof v);
            arena.used = mark.used;
        }
    }
}

static void people_read_numbers(void **state)
{
    (void)state;
    static const struct {
        double value;
        int digits;
        const char *text;
    } cases[] = {
        {0, 3, "0"},
        {1, 3, "1"},
        {94.373, 4, "94.37"},
        {1234567, 3, "1234567"},
        {0.00123456, 3, "0.00123"},
        {-2.5, 3,
         "\xE2\x88\x92"
         "2.5"},
        {1e9, 3, "1e+09"},
        {100, 2, "100"},
        {INFINITY, 3, "\xE2\x88\x9E"},
        {NAN, 3, "\xE2\x80\x93"},
    };
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        struct text t = fresh();
        text_human(&t, cases[i].value, cases[i].digits);
        assert_string_equal(t.s, cases[i].text);
    }
    struct text t = fresh();
    text_fixed(&t, -1, 3);
    assert_string_equal(t.s, "\xE2\x88\x92"
                             "1.000");
}

static void json_is_read_by_another(void **state)
{
    (void)state;
    struct json j;
    json_init(&j, &arena);
    json_object(&j, NULL);
    json_text(&j, "quote \"\\\n\x1f", "\xC3\xA9\t");
    json_real(&j, "third", 1.0 / 3);
    json_real(&j, "nan", NAN);
    json_int(&j, "big", INT64_MIN);
    json_bool(&j, "yes", true);
    json_text(&j, "none", NULL);
    json_array(&j, "empty");
    json_end(&j);
    json_array(&j, "rows");
    for (int i = 0; i < 3; i++) {
        json_object(&j, NULL);
        json_int(&j, "i", i);
        json_end(&j);
    }
    json_end(&j);
    json_end(&j);
    cJSON *root = cJSON_Parse(j.text.s);
    assert_non_null(root);
    assert_string_equal(cJSON_GetObjectItem(root, "quote \"\\\n\x1f")->valuestring, "\xC3\xA9\t");
    assert_true(cJSON_GetObjectItem(root, "third")->valuedouble == 1.0 / 3);
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(root, "nan")));
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(root, "yes")));
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(root, "empty")), 0);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(root, "rows")), 3);
    cJSON_Delete(root);
}

/* What a function prints into a stream that is no terminal. */
static char *printed(const struct table *t)
{
    char *s = NULL;
    size_t n;
    FILE *f = open_memstream(&s, &n);
    assert_non_null(f);
    table_print(t, f);
    fclose(f);
    char *kept = arena_strdup(&arena, s);
    free(s);
    return kept;
}

static void columns_line_up(void **state)
{
    (void)state;
    struct table t;
    table_init(&t, &arena, (const char *const[]){"name", "ms", "\xC3\xA9tat"}, 3);
    static const char *const cells[] = {"a", "1.25", "ok", "longer", "-10.5", "-"};
    for (size_t i = 0; i < N_ELEMS(cells); i++) {
        table_add(&t, cells[i]);
    }
    assert_string_equal(printed(&t), "name       ms  \xC3\xA9tat\n"
                                     "a        1.25  ok\n"
                                     "longer  -10.5  -\n");
}

static void many_rows_are_kept(void **state)
{
    (void)state;
    struct table t;
    table_init(&t, &arena, (const char *const[]){"i"}, 1);
    for (int i = 0; i < 1000; i++) {
        table_printf(&t, "%d", i);
    }
    char *s = printed(&t);
    assert_non_null(strstr(s, "\n999\n"));
    assert_int_equal(strlen(s), 1001 * 4);
}

static void text_is_filled(void **state)
{
    (void)state;
    char *s = NULL;
    size_t n;
    FILE *f = open_memstream(&s, &n);
    term_fill(f, "one two three four\nfive", 4, 4, 14);
    fclose(f);
    assert_string_equal(s, "one two\n    three four\n    five\n");
    free(s);
}

static void times_are_for_people(void **state)
{
    (void)state;
    static const struct {
        double seconds;
        const char *text;
    } cases[] = {{0, "0.0 s"},      {9.94, "9.9 s"}, {59.6, "1:00"}, {65, "1:05"},
                 {7384, "2:03:04"}, {-1, "?"},       {NAN, "?"},     {INFINITY, "?"}};
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        char buf[32];
        progress_time(buf, sizeof buf, cases[i].seconds);
        assert_string_equal(buf, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_grows),
        cmocka_unit_test(escapes_are_entities),
        cmocka_unit_test(numbers_read_back),
        cmocka_unit_test(people_read_numbers),
        cmocka_unit_test(json_is_read_by_another),
        cmocka_unit_test(columns_line_up),
        cmocka_unit_test(many_rows_are_kept),
        cmocka_unit_test(text_is_filled),
        cmocka_unit_test(times_are_for_people),
    };
    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
