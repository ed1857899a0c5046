/*
 * The weight format: what is written is read back; every rule of the format is broken once and
 * refused with path and reason; a file cut at every byte fails politely; weights travel through
 * PyTorch's layout unchanged.
 */
#define _GNU_SOURCE
#include "nn/safetensors.h"
#include "nn/weights.h"
#include "tests/scratch.h"

#include <math.h>

static const char *write_file(struct scratch *s, const char *header, size_t n_data)
{
    static unsigned char file[1 << 16];
    size_t n = strlen(header);
    memset(file, 0, sizeof file);
    for (int i = 0; i < 8; i++) {
        file[i] = (unsigned char)(n >> 8 * i);
    }
    memcpy(file + 8, header, n);
    for (size_t i = 0; i < n_data; i++) {
        file[8 + n + i] = (unsigned char)i;
    }
    scratch_write(s, "file.safetensors", file, 8 + n + n_data);
    return scratch_path(s, "file.safetensors");
}

static void what_is_written_is_read(void **state)
{
    struct scratch *s = *state;
    struct arena tmp = s->arena;
    static const float f[6] = {1, -2.5f, 3e-38f, INFINITY, 0, 6};
    static const int64_t l[2] = {-1, INT64_MAX};
    static const uint8_t u[3] = {1, 2, 255};
    static const double d[1] = {0.1};
    struct safetensors_entry entries[] = {
        {.name = "z.u8",
         .type = SAFETENSORS_U8,
         .n_dims = 1,
         .dims = {3},
         .data = u,
         .bytes = sizeof u},
        {.name = "a.f32",
         .type = SAFETENSORS_F32,
         .n_dims = 2,
         .dims = {2, 3},
         .data = f,
         .bytes = sizeof f},
        {.name = "q\"uote\\",
         .type = SAFETENSORS_I64,
         .n_dims = 1,
         .dims = {2},
         .data = l,
         .bytes = sizeof l},
        {.name = "scalar", .type = SAFETENSORS_F64, .n_dims = 0, .data = d, .bytes = sizeof d},
        {.name = "empty", .type = SAFETENSORS_F32, .n_dims = 1, .dims = {0}, .data = d, .bytes = 0},
    };
    char meta[][2][256] = {{"arch", "resnet20"}, {"note", "line\nwith \"quotes\" and \\"}};
    struct safetensors out = {.entries = entries, .n = 5, .meta = meta, .n_meta = 2}, in;
    struct err e = {0};
    const char *path = scratch_path(s, "round.safetensors");
    assert_true(safetensors_write(&out, path, tmp, &e));
    assert_true(safetensors_read(&in, &tmp, path, &e));
    assert_int_equal(in.n, 5);
    assert_string_equal(in.entries[0].name, "a.f32"); /* sorted */
    for (int i = 0; i < 5; i++) {
        const struct safetensors_entry *t = safetensors_find(&in, entries[i].name);
        assert_non_null(t);
        assert_int_equal(t->type, entries[i].type);
        assert_int_equal(t->n_dims, entries[i].n_dims);
        assert_int_equal(t->bytes, entries[i].bytes);
        assert_memory_equal(t->dims, entries[i].dims, (size_t)t->n_dims * sizeof *t->dims);
        if (t->bytes > 0) {
            assert_memory_equal(t->data, entries[i].data, t->bytes);
        }
    }
    assert_string_equal(safetensors_meta(&in, "note"), meta[1][1]);
    assert_null(safetensors_meta(&in, "absent"));
    assert_null(safetensors_find(&in, "absent"));
}

/* Headers that break one rule each, with 24 bytes of data behind them, and words of the message. */
static void every_rule_is_held(void **state)
{
    struct scratch *s = *state;
    static const struct {
        const char *header, *words;
    } bad[] = {
        {"", "does not begin"},
        {"[]", "does not begin"},
        {" {}", "does not begin"},
        {"{", "not valid JSON"},
        {"{}x", "not valid JSON"},
        {"{\"a\":}", "not valid JSON"},
        {"{}", "the file holds 24"},
        {"{\"a\":1}", "not described by an object"},
        {"{\"a\":[1,2]}", "not described by an object"},
        {"{\"a\":null}", "not described by an object"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[6]}}", "data_offsets"},
        {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,24]}}", "shape"},
        {"{\"a\":{\"shape\":[6],\"data_offsets\":[0,24]}}", "dtype"},
        {"{\"a\":{\"dtype\":7,\"shape\":[6],\"data_offsets\":[0,24]}}", "dtype"},
        {"{\"a\":{\"dtype\":\"F31\",\"shape\":[6],\"data_offsets\":[0,24]}}", "dtype"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":6,\"data_offsets\":[0,24]}}", "shape"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-6],\"data_offsets\":[0,24]}}", "shape"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1.5],\"data_offsets\":[0,24]}}", "shape"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1e300],\"data_offsets\":[0,24]}}", "shape"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[\"6\"],\"data_offsets\":[0,24]}}", "shape"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296,2],\"data_offsets\":[0,24]}}",
         "shape"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,6],\"data_offsets\":[0,24]}}",
         "shape"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[5],\"data_offsets\":[0,24]}}", "shape wants 20"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[6],\"data_offsets\":[0,25]}}", "data_offsets"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[6],\"data_offsets\":[24,0]}}", "data_offsets"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[6],\"data_offsets\":[0,24,0]}}", "data_offsets"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[6],\"data_offsets\":[0]}}", "data_offsets"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[6],\"data_offsets\":[0,24],\"more\":1}}", "unknown"},
        {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[6],\"data_offsets\":[0,24]}}",
         "twice"},
        {"{\"\":{\"dtype\":\"F32\",\"shape\":[6],\"data_offsets\":[0,24]}}", "name"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,12]}}", "the file holds 24"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[12,24]}}", "begins at 12"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,12]},"
         "\"b\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[8,24]}}",
         "begins at 8"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
         "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[16,24]}}",
         "begins at 16"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,12]},"
         "\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[12,24]}}",
         "twice"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,12]},"
         "\"\\u0061\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[12,24]}}",
         "twice"},
        {"{\"__metadata__\":1}", "__metadata__"},
        {"{\"__metadata__\":[\"a\"]}", "__metadata__"},
        {"{\"__metadata__\":{\"a\":1}}", "__metadata__"},
        {"{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}", "twice"},
        {"{\"__metadata__\":{},\"__metadata__\":{}}", "twice"},
        {"{\"a\":{\"b\":{\"c\":{\"d\":{}}}}}", "nested"},
        {"{\"a\":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}", "nested"},
    };
    for (size_t i = 0; i < N_ELEMS(bad); i++) {
        struct arena tmp = s->arena;
        struct safetensors st;
        struct err e = {0};
        const char *path = write_file(s, bad[i].header, 24);
        if (safetensors_read(&st, &tmp, path, &e)) {
            fail_msg("accepted: %s", bad[i].header);
        }
        scratch_expect(&e, ERR_INPUT, bad[i].words);
        assert_non_null(strstr(e.text, "file.safetensors"));
    }
}

static void lengths_of_the_header_are_checked(void **state)
{
    struct scratch *s = *state;
    static const unsigned char huge[3][16] = {
        {255, 255, 255, 255, 255, 255, 255, 255, '{', '}'},
        {9, 0, 0, 0, 0, 0, 0, 0, '{', '}'},     /* longer than the file */
        {1, 225, 245, 5, 0, 0, 0, 0, '{', '}'}, /* 100,000,001 */
    };
    for (int i = 0; i < 3; i++) {
        struct arena tmp = s->arena;
        struct safetensors st;
        struct err e = {0};
        scratch_write(s, "huge", huge[i], 16);
        assert_false(safetensors_read(&st, &tmp, scratch_path(s, "huge"), &e));
        scratch_expect(&e, ERR_INPUT, "offset 0");
    }
}

static void spaces_may_pad_and_data_may_be_unaligned(void **state)
{
    struct scratch *s = *state;
    struct arena tmp = s->arena;
    struct safetensors st;
    struct err e = {0};
    const char *path =
        write_file(s,
                   "{\"u\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
                   "\"f\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[1,9]}}   ",
                   9);
    assert_true(safetensors_read(&st, &tmp, path, &e));
    const struct safetensors_entry *t = safetensors_find(&st, "f");
    assert_int_equal((uintptr_t)t->data % 8, 0);
    assert_int_equal(((const unsigned char *)t->data)[0], 1);
}

static struct net *new_net(struct scratch *s, const char *arch, struct arena *arena, uint64_t seed)
{
    static struct machine mc;
    struct model_spec spec = {.input = {8, 8, 2}, .n_classes = 5};
    struct err e = {0};
    struct graph *g;
    struct net *net;
    (void)s;
    snprintf(spec.arch, sizeof spec.arch, "%s", arch);
    if (!machine_init(&mc, "ref", 1, &e) || !model_build(&g, arena, &spec, &e) ||
        !net_new(&net, arena, &mc, g, 1, NET_EVAL, &e)) {
        fail_msg("%s", e.text);
    }
    net_init_params(net, NET_INIT_PYTORCH, seed);
    return net;
}

static struct weights_info info_of(const char *arch)
{
    struct weights_info info = {.spec = {.input = {8, 8, 2}, .n_classes = 5},
                                .mean = {0.1f, 0.2f, 0, 0},
                                .std = {0.3f, 0.4f, 1, 1},
                                .has_norm = true,
                                .data = "synthetic"};
    snprintf(info.spec.arch, sizeof info.spec.arch, "%s", arch);
    return info;
}

static void weights_come_back_with_their_description(void **state)
{
    struct scratch *s = *state;
    static const char *const archs[] = {"nb201:432134", "resnet20", "mlp:7,6"};
    for (size_t i = 0; i < N_ELEMS(archs); i++) {
        struct arena tmp = s->arena;
        struct net *a = new_net(s, archs[i], &tmp, 1), *b = new_net(s, archs[i], &tmp, 2);
        struct weights_info info = info_of(archs[i]), back;
        struct err e = {0};
        const char *path = scratch_path(s, "weights.safetensors");
        assert_true(weights_save(a, &info, path, tmp, &e));
        assert_true(weights_info_read(&back, path, NULL, &e));
        assert_memory_equal(&back, &info, sizeof info);
        assert_true(weights_load(b, path, tmp, &e));
        const struct graph *g = net_graph(a);
        for (int j = 0; j < g->n_params; j++) {
            assert_memory_equal(net_param(a, j), net_param(b, j),
                                g->params[j].count * sizeof(float));
        }
    }
}

/* theirs[k][c][kh][kw] = ours[kh][kw][c][k] */
static void convolutions_are_written_in_pytorch_layout(void **state)
{
    struct scratch *s = *state;
    struct arena tmp = s->arena;
    struct net *net = new_net(s, "nb201:333333", &tmp, 1);
    struct weights_info info = info_of("nb201:333333");
    struct safetensors st;
    struct err e = {0};
    assert_true(weights_save(net, &info, scratch_path(s, "w"), tmp, &e));
    assert_true(safetensors_read(&st, &tmp, scratch_path(s, "w"), &e));
    const struct safetensors_entry *t = safetensors_find(&st, "stem.0.weight");
    assert_int_equal(t->dims[0], 16);
    assert_int_equal(t->dims[1], 2);
    assert_int_equal(t->dims[2], 3);
    const float *theirs = t->data, *ours = net_param(net, 0);
    for (int k = 0; k < 16; k++) {
        for (int c = 0; c < 2; c++) {
            for (int i = 0; i < 9; i++) {
                assert_true(theirs[(k * 2 + c) * 9 + i] == ours[(i * 2 + c) * 16 + k]);
            }
        }
    }
}

static void files_that_do_not_fit_are_refused(void **state)
{
    struct scratch *s = *state;
    struct arena tmp = s->arena;
    struct weights_info info = info_of("mlp:7"), back;
    struct err e = {0};
    struct net *mlp = new_net(s, "mlp:7", &tmp, 1), *wide = new_net(s, "mlp:8", &tmp, 2),
               *deep = new_net(s, "mlp:7,7", &tmp, 3), *other = new_net(s, "resnet20", &tmp, 4);
    char path[1024];
    snprintf(path, sizeof path, "%s", scratch_path(s, "mlp"));
    assert_true(weights_save(mlp, &info, path, tmp, &e));
    float before = net_param(wide, 0)[0];
    assert_false(weights_load(wide, path, tmp, &e));
    scratch_expect(&e, ERR_INPUT, "layers.0.weight");
    assert_true(net_param(wide, 0)[0] == before);
    assert_false(weights_load(other, path, tmp, &e));
    scratch_expect(&e, ERR_INPUT, "missing");
    assert_true(weights_save(deep, &info, path, tmp, &e));
    assert_false(weights_load(mlp, path, tmp, &e)); /* layers.2 is 7 x 7 there, 5 x 7 here */
    scratch_expect(&e, ERR_INPUT, "layers.2");
    assert_false(weights_info_read(&back, scratch_path(s, "absent"), NULL, &e));
    scratch_expect(&e, ERR_INPUT, "absent");
    /* A tensor that belongs to nothing; one of PyTorch's counters and an optimiser's are passed
     * over. */
    struct safetensors st;
    struct arena more = tmp;
    assert_true(weights_collect(&st, &more, mlp, &info, 3, &e));
    static const float zero[1] = {0};
    static const char *const names[] = {"bn.num_batches_tracked", "optim.momentum", "head.weight"};
    for (int i = 0; i < 3; i++) {
        struct safetensors_entry *t = &st.entries[st.n++];
        *t = (struct safetensors_entry){
            .type = SAFETENSORS_F32, .n_dims = 1, .dims = {1}, .data = zero, .bytes = 4};
        snprintf(t->name, sizeof t->name, "%s", names[i]);
        assert_true(safetensors_write(&st, path, more, &e));
        assert_int_equal(weights_load(mlp, path, more, &e), i < 2);
    }
    scratch_expect(&e, ERR_INPUT, "head.weight");
}

static void bad_descriptions_are_refused(void **state)
{
    struct scratch *s = *state;
    static const struct {
        const char *meta, *words;
    } bad[] = {
        {"\"arch\":\"mlp:3\",\"input\":\"0,8,1\",\"classes\":\"5\"", "cannot be"},
        {"\"arch\":\"mlp:3\",\"input\":\"8,8\",\"classes\":\"5\"", "cannot be"},
        {"\"arch\":\"mlp:3\",\"input\":\"8,8,1x\",\"classes\":\"5\"", "cannot be"},
        {"\"arch\":\"mlp:3\",\"input\":\"8,8,99\",\"classes\":\"5\"", "cannot be"},
        {"\"arch\":\"mlp:3\",\"input\":\"8,8,1\",\"classes\":\"-5\"", "cannot be"},
        {"\"arch\":\"mlp:3\",\"input\":\"99999,8,1\",\"classes\":\"5\"", "cannot be"},
        {"\"arch\":\"mlp:3\",\"input\":\"8,8,1\",\"classes\":\"5\",\"normalize_mean\":\"a\"",
         "normalize"},
        {"\"arch\":\"mlp:3\",\"input\":\"8,8,1\",\"classes\":\"5\",\"normalize_mean\":\"1\","
         "\"normalize_std\":\"0\"",
         "normalize"},
        {"\"arch\":\"mlp:3\",\"input\":\"8,8,1\",\"classes\":\"5\",\"normalize_mean\":\"1,2\","
         "\"normalize_std\":\"1,2\"",
         "normalize"},
        {"\"arch\":\"mlp:3\",\"input\":\"8,8,1\",\"classes\":\"5\",\"normalize_mean\":\"nan\","
         "\"normalize_std\":\"1\"",
         "normalize"},
        {"\"a\":\"b\"", "tell none"},
    };
    for (size_t i = 0; i < N_ELEMS(bad); i++) {
        char header[512];
        struct weights_info info;
        struct err e = {0};
        snprintf(header, sizeof header, "{\"__metadata__\":{%s}}", bad[i].meta);
        const char *path = write_file(s, header, 0);
        assert_false(weights_info_read(&info, path, NULL, &e));
        scratch_expect(&e, ERR_INPUT, bad[i].words);
    }
}

/* Every prefix of a good file is a bad file, and says so. */
static void cut_at_every_byte_it_fails_politely(void **state)
{
    struct scratch *s = *state;
    struct arena tmp = s->arena;
    static unsigned char file[1 << 14];
    struct net *net = new_net(s, "mlp:2", &tmp, 1);
    struct weights_info info = info_of("mlp:2");
    struct err e = {0};
    assert_true(weights_save(net, &info, scratch_path(s, "whole"), tmp, &e));
    size_t n = scratch_read(s, "whole", file, sizeof file);
    assert_true(n > 1000 && n < sizeof file);
    for (size_t i = 0; i < n; i++) {
        struct arena again = tmp;
        struct safetensors st;
        e = (struct err){0};
        remove(scratch_path(s, "cut")); /* overwriting would make some file systems flush */
        scratch_write(s, "cut", file, i);
        assert_false(safetensors_read(&st, &again, scratch_path(s, "cut"), &e));
        assert_int_equal(e.code, ERR_INPUT);
    }
    file[n] = 0;
    scratch_write(s, "cut", file, n + 1); /* and one byte too many */
    struct safetensors st;
    assert_false(safetensors_read(&st, &tmp, scratch_path(s, "cut"), &e));
}

/* Any one byte of the header changed: read or refused, never a crash (run with sanitizers too). */
static void any_byte_may_be_wrong(void **state)
{
    struct scratch *s = *state;
    struct arena tmp = s->arena;
    static unsigned char file[1 << 14];
    struct net *net = new_net(s, "mlp:2", &tmp, 1);
    struct weights_info info = info_of("mlp:2"), back;
    struct err e = {0};
    assert_true(weights_save(net, &info, scratch_path(s, "whole"), tmp, &e));
    size_t n = scratch_read(s, "whole", file, sizeof file);
    for (size_t i = 0; i < MIN(n, (size_t)700); i++) {
        for (int j = 0; j < 4; j++) {
            static const unsigned char other[4] = {0, '"', '9', 255};
            unsigned char old = file[i];
            file[i] = other[j];
            remove(scratch_path(s, "other"));
            scratch_write(s, "other", file, n);
            e = (struct err){0};
            if (!weights_info_read(&back, scratch_path(s, "other"), NULL, &e)) {
                assert_true(e.code != ERR_NONE);
            }
            file[i] = old;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(every_rule_is_held),
        cmocka_unit_test(lengths_of_the_header_are_checked),
        cmocka_unit_test(spaces_may_pad_and_data_may_be_unaligned),
        cmocka_unit_test(weights_come_back_with_their_description),
        cmocka_unit_test(convolutions_are_written_in_pytorch_layout),
        cmocka_unit_test(files_that_do_not_fit_are_refused),
        cmocka_unit_test(bad_descriptions_are_refused),
        cmocka_unit_test(cut_at_every_byte_it_fails_politely),
        cmocka_unit_test(any_byte_may_be_wrong),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
