/*
 * Hardware costs: what is counted, what is looked up in tables made here (every way in which they
 * can be wrong, and cut at every byte), how devices are named, what is measured on this machine;
 * and the published tables where they are at hand.
 */
#define _GNU_SOURCE
#include "core/file.h"
#include "nas/cost.h"
#include "nas/devices.h"
#include "nas/lookup.h"
#include "tests/nb201.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char dir[256];
    struct arena keep;
};

static int setup(void **state)
{
    static struct fixture f;
    const char *tmp = getenv("TMPDIR");
    struct err e;
    snprintf(f.dir, sizeof f.dir, "%s/hdnas-cost-XXXXXX", tmp ? tmp : "/tmp");
    *state = &f;
    return mkdtemp(f.dir) && arena_init(&f.keep, (size_t)512 << 20, &e) ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char command[300];
    arena_release(&f->keep);
    snprintf(command, sizeof command, "rm -rf '%s'", f->dir);
    return system(command);
}

static const char *table(struct fixture *f, const char *name, const char *text)
{
    struct err e = {0};
    char *path = arena_printf(&f->keep, "%s/%s", f->dir, name);
    if (!file_write(path, text, strlen(text), &e)) {
        fail_msg("%s", e.text);
    }
    return path;
}

static struct cost_options options_of(const char *device)
{
    return (struct cost_options){
        .space = nb201(),
        .device = device,
        .model = {.input = {32, 32, 3}, .n_classes = 10},
    };
}

static struct arch arch_of(const char *text)
{
    struct arch a;
    struct err e = {0};
    assert_true(nb201()->parse(&a, text, &e));
    return a;
}

static double cost_at(const struct cost *c, const char *text, struct arena tmp)
{
    struct arch a = arch_of(text);
    double value;
    return cost_of(c, &a, &value, tmp) ? value : NAN;
}

static struct cost opened(struct fixture *f, const struct cost_options *o)
{
    struct cost c;
    struct err e = {0};
    if (!cost_open(&c, &f->keep, o, &e)) {
        fail_msg("%s: %s", o->device, e.text);
    }
    return c;
}

/* Opening fails with this code, and the message contains these words. */
static void refused(struct fixture *f, const struct cost_options *o, enum err_code code,
                    const char *words)
{
    struct cost c;
    struct err e = {0};
    if (cost_open(&c, &f->keep, o, &e)) {
        fail_msg("%s was taken", o->device);
    }
    char all[sizeof e.text + sizeof e.hint + 2];
    snprintf(all, sizeof all, "%s\n%s", e.text, e.hint);
    if (e.code != code || !strstr(all, words)) {
        fail_msg("%s: code %d: %s; expected code %d and '%s'", o->device, e.code, all, code, words);
    }
}

static void test_counted(void **state)
{
    struct fixture *f = *state;
    struct cost_options o = options_of("params");
    struct cost c = opened(f, &o);
    assert_string_equal(c.unit, "params");
    assert_true(c.kind->parallel_safe);
    assert_true(cost_at(&c, "0", f->keep) == 129306);
    o.device = "flops";
    c = opened(f, &o);
    assert_string_equal(c.unit, "MFLOP");
    assert_true(fabs(cost_at(&c, "13714", f->keep) - 153.27) < .005);
    o.metric = "energy";
    refused(f, &o, ERR_USAGE, "no energy");
    o.metric = "beauty";
    refused(f, &o, ERR_USAGE, "latency or energy");
}

static void test_table_by_index_and_by_string(void **state)
{
    struct fixture *f = *state;
    const char *text = "arch,x_ms\r\n"
                       "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|,3.5\r\n"
                       "13714,-1\r\n333133,\r\n\"code:421211\",0\r\n5,NaN\r\n8,-inf\r\n";
    table(f, "by_arch.csv", text);
    table(f, "by_index.csv", "note,index,x_ms,y_ms,z_energy_mj\na,7,1,2,3\nb,15624,4,5,6\n");
    struct cost_options o = options_of(arena_printf(&f->keep, "table:%s/by_arch.csv", f->dir));
    struct cost c = opened(f, &o);
    assert_true(cost_at(&c, "000100", f->keep) == 3.5);
    assert_true(cost_at(&c, "0", f->keep) == 0);       /* 421211 is index 0 */
    assert_true(isnan(cost_at(&c, "13714", f->keep))); /* negative: unsupported */
    assert_true(isnan(cost_at(&c, "9930", f->keep)));  /* missing */
    assert_true(isnan(cost_at(&c, "5", f->keep)));     /* not a number */
    assert_true(isnan(cost_at(&c, "8", f->keep)));     /* the logarithm of nothing */
    assert_true(isnan(cost_at(&c, "6", f->keep)));     /* no row */
    table(f, "infinite.csv", "index,x_ms\n1,2\n3,inf\n");
    o.device = arena_printf(&f->keep, "table:%s/infinite.csv", f->dir);
    refused(f, &o, ERR_INPUT, "line 3");
    assert_string_equal(c.name, "x latency");
    assert_string_equal(c.unit, "ms");
    assert_int_equal(strlen(c.sha256), 64);
    o.device = arena_printf(&f->keep, "table:%s/by_index.csv:y_ms", f->dir);
    c = opened(f, &o);
    assert_true(cost_at(&c, "7", f->keep) == 2 && cost_at(&c, "15624", f->keep) == 5);
    o.device = arena_printf(&f->keep, "table:%s/by_index.csv", f->dir);
    refused(f, &o, ERR_USAGE, "more than one column of latency: x_ms, y_ms");
    o.metric = "energy";
    c = opened(f, &o);
    assert_true(cost_at(&c, "7", f->keep) == 3);
    assert_string_equal(c.unit, "mJ");
}

static void test_bad_tables(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *text, *words;
        enum err_code code;
    } rows[] = {
        {"index,x_ms\n0,1\n15625,2\n", "line 3: index '15625'", ERR_INPUT},
        {"index,x_ms\n-1,1\n", "line 2: index '-1'", ERR_INPUT},
        {"index,x_ms\n1.5,1\n", "line 2", ERR_INPUT},
        {"index,x_ms\n,1\n", "line 2", ERR_INPUT},
        {"index,x_ms\n3,1\n4,2\n3,1\n", "line 4: architecture 3 was there before", ERR_INPUT},
        {"arch,x_ms\n3,1\n code:123456,2\n", "line 3", ERR_INPUT},
        {"arch,x_ms\n0,1\n421211,2\n", "line 3", ERR_INPUT}, /* the same one by another name */
        {"index,x_ms\n3,fast\n", "line 2", ERR_INPUT},
        {"index,x_ms\n3,1e999\n", "line 2", ERR_INPUT},
        {"index,x_ms\n3\n", "line 2", ERR_INPUT},
        {"name,x_ms\n3,1\n", "no column 'index' or 'arch'", ERR_INPUT},
        {"index,x_ms\n3,\n4,nan\n", "empty", ERR_INPUT},
        {"index,x_ms\n", "empty", ERR_INPUT},
        {"index,speed\n3,1\n", "no column of latency", ERR_USAGE},
        {"", "", ERR_INPUT},
    };
    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        table(f, "bad.csv", rows[i].text);
        struct cost_options o = options_of(arena_printf(&f->keep, "table:%s/bad.csv", f->dir));
        refused(f, &o, rows[i].code, rows[i].words);
    }
    table(f, "bad.csv", "index,x_ms\n3,1\n");
    struct cost_options o = options_of(arena_printf(&f->keep, "table:%s/bad.csv:y_ms", f->dir));
    refused(f, &o, ERR_USAGE, "columns: index, x_ms");
    o.device = arena_printf(&f->keep, "table:%s/absent.csv:y_ms", f->dir);
    refused(f, &o, ERR_INPUT, "absent.csv");
    o.device = "table:";
    refused(f, &o, ERR_INPUT, "");
}

static void test_cut_at_every_byte(void **state)
{
    struct fixture *f = *state;
    static const char text[] =
        "arch,\"x_ms\"\r\n|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|,3.5\r\n"
        "13714,-1\r\n\"code:421211\",\"0.25\"\r\n";
    for (size_t len = 0; len < sizeof text; len++) {
        struct arena keep = f->keep;
        char cut[sizeof text] = {0};
        struct err e = {0};
        struct cost c;
        memcpy(cut, text, len);
        table(f, "cut.csv", cut);
        struct cost_options o = options_of(arena_printf(&keep, "table:%s/cut.csv", f->dir));
        if (!cost_open(&c, &keep, &o, &e)) {
            assert_true(e.code == ERR_INPUT || e.code == ERR_USAGE);
            assert_true(e.text[0]);
        }
    }
}

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *column, *name, *metric;
    } rows[] = {{"fpga_latency_ms", "fpga", "latency"},
                {"pi5_onnx_cifar100_lat_ms", "pi5_onnx_cifar100", "latency"},
                {"1080ti_256_ms", "1080ti_256", "latency"},
                {"edgegpu_latency", "edgegpu", "latency"},
                {"fpga_energy_mj", "fpga", "energy"},
                {"edgegpu_energy", "edgegpu", "energy"},
                {"_ms", NULL, NULL},
                {"latency_ms", "latency", "latency"},
                {"acc_cifar100", NULL, NULL},
                {"index", NULL, NULL},
                {"", NULL, NULL}};
    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        char name[64];
        const char *metric, *unit;
        bool found = devices_split(rows[i].column, name, &metric, &unit);
        assert_int_equal(found, rows[i].name != NULL);
        if (found) {
            assert_string_equal(name, rows[i].name);
            assert_string_equal(metric, rows[i].metric);
            assert_string_equal(unit, strcmp(metric, "energy") == 0 ? "mJ" : "ms");
        }
    }
}

static void test_devices_of_a_folder(void **state)
{
    struct fixture *f = *state;
    struct err e = {0};
    struct cost_options o = options_of("fpga");
    o.device = "toaster";
    refused(f, &o, ERR_USAGE, "unknown device 'toaster'");
    o.device = "fpga"; /* ships as a predictor */
    struct cost predicted = opened(f, &o);
    assert_string_equal(predicted.name, "fpga latency (predicted)");
    assert_true(fabs(cost_at(&predicted, "333333", f->keep) - 8.679) < .05);
    const char *dir = arena_printf(&f->keep, "%s/tables", f->dir);
    assert_true(file_mkdirs(dir, &e));
    table(f, "tables/a.csv",
          "index,fpga_latency_ms,fpga_energy_mj,pi5_fast_ms,pi5_slow_ms\n0,1,2,3,4\n1,,,,\n");
    table(f, "tables/b.csv", "\"arch\",\"big, \"\"red\"\"_ms\",gpu_ms\n0,5,6\n");
    table(f, "tables/c.csv",
          "dataset,index,fpga_latency\ncifar10,0,9\ncifar100,0,9\n"); /* keyed by two columns */
    table(f, "tables/d.csv", "block,fpga_latency_ms\nx,1\n");         /* not about architectures */
    table(f, "tables/e.csv", "\xff\xfe,\"");
    table(f, "tables/f.txt", "index,hidden_ms\n0,1\n");
    o.tables_dir = dir;
    struct cost c = opened(f, &o);
    assert_true(cost_at(&c, "0", f->keep) == 1);
    assert_non_null(strstr(c.source, "a.csv:fpga_latency_ms"));
    o.metric = "energy";
    c = opened(f, &o);
    assert_true(cost_at(&c, "0", f->keep) == 2);
    assert_true(isnan(cost_at(&c, "1", f->keep)));
    o.device = "gpu";
    refused(f, &o, ERR_USAGE, "device gpu has no energy");
    o.metric = "latency";
    c = opened(f, &o);
    assert_true(cost_at(&c, "421211", f->keep) == 6);
    o.device = "big, \"red\"";
    c = opened(f, &o);
    assert_true(cost_at(&c, "0", f->keep) == 5);
    o.device = "pi5";
    refused(f, &o, ERR_USAGE, "did you mean pi5_fast, pi5_slow?");
    o.device = "fgpa";
    refused(f, &o, ERR_USAGE,
            "there are: big, \"red\", fpga, gpu, pi5_fast, pi5_slow\ndid you mean fpga, gpu?");
    o.device = "toaster";
    refused(f, &o, ERR_USAGE, "--list");
    table(f, "tables/g.csv", "index,fpga_ms\n0,1\n");
    o.device = "fpga";
    refused(f, &o, ERR_USAGE, "g.csv:fpga_ms");
    refused(f, &o, ERR_USAGE, "a.csv:fpga_latency_ms");
    o.tables_dir = "/nowhere at all";
    refused(f, &o, ERR_INPUT, "/nowhere at all");
    struct devices d;
    assert_true(devices_scan(&d, &f->keep, dir, &e));
    assert_int_equal(d.n, 7);
    for (int i = 1; i < d.n; i++) {
        assert_true(strcmp(d.items[i - 1].name, d.items[i].name) <= 0);
    }
}

/* A space that does not number its architectures goes through the map. */
static bool code_parse(struct arch *a, const char *text, struct err *e)
{
    *a = (struct arch){{0}};
    if (strlen(text) != 3) {
        return err_set(e, ERR_INPUT, "three letters expected");
    }
    for (int i = 0; i < 3; i++) {
        a->gene[i] = (uint8_t)text[i];
    }
    return true;
}

static void test_space_beyond_counting(void **state)
{
    struct fixture *f = *state;
    const struct space vast = {.name = "vast", .n_genes = 3, .size = -1, .parse = code_parse};
    char *text = arena_push(&f->keep, 40000, 1), *at = text;
    at += sprintf(at, "arch,x_ms\n");
    for (int i = 0; i < 3000; i++) {
        at += sprintf(at, "%c%c%c,%d\n", 'a' + i % 20, 'a' + i / 20 % 20, 'a' + i / 400, i - 1);
    }
    const char *path = table(f, "vast.csv", text);
    struct lookup l;
    struct err e = {0};
    if (!lookup_open(&l, &f->keep, &vast, path, "x_ms", &e)) {
        fail_msg("%s", e.text);
    }
    struct arch a, absent;
    assert_true(code_parse(&a, "cba", &e) && code_parse(&absent, "zzz", &e));
    assert_int_equal(l.n, 3000);
    assert_true(lookup_get(&l, &a) == 21);
    assert_true(isnan(lookup_get(&l, &absent)));
    path = table(f, "vast.csv", "arch,x_ms\nabc,1\nabd,\nabd,2\n");
    assert_false(lookup_open(&l, &f->keep, &vast, path, "x_ms", &e));
    assert_non_null(strstr(e.text, "line 4"));
}

static void test_published_tables(void **state)
{
    struct fixture *f = *state;
    const char *root = getenv("HDNAS_TEST_DATA");
    const char *dir = arena_printf(&f->keep, "%s/nas", root ? root : "../shared/data");
    if (access(dir, R_OK) != 0) {
        print_message("no %s\n", dir);
        skip();
    }
    static const struct {
        const char *device, *metric;
        double cost0; /* of index 0, first row of each file */
    } rows[] = {{"raspi4", "latency", 10.481977},
                {"pixel3", "latency", 3.60585},
                {"eyeriss", "latency", 3.64562},
                {"fpga", "latency", 2.57296},
                {"fpga", "energy", 18.01072},
                {"gold_6226", "latency", 10.5246},
                {"pi5_litert_cifar100", "latency", 1.4877},
                {"pi5_litert_cifar100", "energy", 2.5753}};
    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        struct cost_options o = options_of(rows[i].device);
        o.tables_dir = dir;
        o.metric = rows[i].metric;
        struct cost c = opened(f, &o);
        assert_true(cost_at(&c, "0", f->keep) == rows[i].cost0);
        int n = 0;
        for (int k = 0; k < nb201()->size; k++) {
            struct arch a;
            double value;
            n += nb201()->from_index(&a, k) && cost_of(&c, &a, &value, f->keep);
        }
        assert_int_equal(n, nb201()->size);
    }
    struct cost_options o = options_of("pixel");
    o.tables_dir = dir;
    refused(f, &o, ERR_USAGE, "pixel_litert_cifar100");
}

static void test_local(void **state)
{
    struct fixture *f = *state;
    struct machine mc;
    struct err e = {0};
    assert_true(machine_init(&mc, "auto", 1, &e));
    struct cost_options o = options_of("local");
    o.mc = &mc;
    int n_cpus = cpu_count();
    struct cost c = opened(f, &o);
    assert_false(c.kind->parallel_safe);
    assert_string_equal(c.unit, "ms");
    double light = cost_at(&c, "111111", f->keep), heavy = cost_at(&c, "333333", f->keep);
    print_message("all skip %.3f ms, all conv3x3 %.3f ms\n", light, heavy);
    assert_true(light > 0 && heavy > 2 * light); /* 8 and 220 million multiply-adds */
    assert_int_equal(cpu_count(), n_cpus);       /* free again */
    /* Too little memory is a network this machine cannot run, no crash. */
    struct arena little = arena_carve(&f->keep, 3 << 20);
    assert_true(isnan(cost_at(&c, "333333", little)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counted),
        cmocka_unit_test(test_table_by_index_and_by_string),
        cmocka_unit_test(test_bad_tables),
        cmocka_unit_test(test_cut_at_every_byte),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_devices_of_a_folder),
        cmocka_unit_test(test_space_beyond_counting),
        cmocka_unit_test(test_published_tables),
        cmocka_unit_test(test_local),
    };
    return cmocka_run_group_tests_name("nas_cost", tests, setup, teardown);
}
