/*
 * ort_nets.c: networks in ONNX Runtime, loaded at run time: a process that times what it is told
 * to.
 *
 *   ort_nets LIBONNXRUNTIME.SO THREADS
 *
 * A line `FILE.onnx N SECONDS` on standard input is answered by milliseconds of one run at batch N
 * (the median over about SECONDS of runs, at least one), or `skip WHY`. The input and output
 * tensors are made beforehand. One thread is timed by the processor time of the process, more by
 * the clock.
 *
 * ONNX Runtime's C interface is a table of functions to which versions only ever add; the header
 * does not come with the library, so what is used of it is declared here by its place.
 */
#define _POSIX_C_SOURCE 200809L
#include "core/arena.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct ort_base {
    const struct ort_api *(*api)(uint32_t version);
    const char *(*version)(void);
};

/* Opaque things of the library are void here; a status is NULL where all is well. */
struct ort_api {
    void *unused_0[2];
    const char *(*error_message)(const void *status);
    void *(*create_env)(int log_level, const char *id, void **env);
    void *unused_4[3];
    void *(*create_session)(void *env, const char *path, void *options, void **session);
    void *unused_8;
    void *(*run)(void *session, void *run_options, const char *const *input_names,
                 void *const *inputs, size_t n_inputs, const char *const *output_names,
                 size_t n_outputs, void **outputs);
    void *(*create_session_options)(void **options);
    void *unused_11[12];
    void *(*set_optimization)(void *options, int level);
    void *(*set_intra_threads)(void *options, int n);
    void *(*set_inter_threads)(void *options, int n);
    void *unused_26[23];
    void *(*create_tensor)(const void *memory, void *data, size_t bytes, const int64_t *shape,
                           size_t n_dims, int type, void **value);
    void *unused_50[19];
    void *(*create_cpu_memory)(int allocator, int kind, void **memory);
};

enum { ORT_API_VERSION = 1, ORT_ALL = 99, ORT_FLOAT = 1, ORT_ARENA = 1, ORT_WARNING = 2 };
enum { NET_INPUT = 3 * 32 * 32, NET_CLASSES = 10, NET_MAX_BATCH = 1024, NET_MAX_RUNS = 1000 };

struct ort {
    const struct ort_api *api;
    void *env, *options, *memory;
    int n_threads;
    float *x, *y;
};

static bool ort_ok(const struct ort *o, void *status)
{
    if (status) {
        const char *text = o->api->error_message(status);
        printf("skip %.*s\n", (int)strcspn(text, "\n"), text);
        fflush(stdout);
    }
    return !status;
}

static double ort_now(const struct ort *o)
{
    struct timespec t;
    clock_gettime(o->n_threads == 1 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double ort_wall(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int ort_ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void ort_measure(const struct ort *o, void *session, int n, double seconds)
{
    double times[NET_MAX_RUNS];
    const char *in = "x", *out = "y";
    int64_t shape_x[] = {n, 3, 32, 32}, shape_y[] = {n, NET_CLASSES};
    void *x = NULL, *y = NULL;
    int n_runs = 0;
    if (!ort_ok(o, o->api->create_tensor(o->memory, o->x, (size_t)n * NET_INPUT * sizeof *o->x,
                                         shape_x, 4, ORT_FLOAT, &x)) ||
        !ort_ok(o, o->api->create_tensor(o->memory, o->y, (size_t)n * NET_CLASSES * sizeof *o->y,
                                         shape_y, 2, ORT_FLOAT, &y)) ||
        !ort_ok(o, o->api->run(session, NULL, &in, &x, 1, &out, 1, &y))) {
        return;
    }
    for (double end = ort_wall() + seconds;
         n_runs < 1 || (ort_wall() < end && n_runs < NET_MAX_RUNS);) {
        double start = ort_now(o);
        if (!ort_ok(o, o->api->run(session, NULL, &in, &x, 1, &out, 1, &y))) {
            return;
        }
        times[n_runs++] = ort_now(o) - start;
    }
    qsort(times, (size_t)n_runs, sizeof *times, ort_ascending);
    printf("%.6g\n", 1e3 * times[n_runs / 2]);
    fflush(stdout);
}

static bool ort_open(struct ort *o, struct arena *keep, const char *path)
{
    void *library = dlopen(path, RTLD_NOW);
    void *symbol = library ? dlsym(library, "OrtGetApiBase") : NULL;
    const struct ort_base *(*base)(void);
    if (!symbol) {
        fprintf(stderr, "ort_nets: %s\n", dlerror());
        return false;
    }
    memcpy(&base, &symbol, sizeof base);
    o->api = base()->api(ORT_API_VERSION);
    o->x = arena_push(keep, (size_t)NET_MAX_BATCH * NET_INPUT, sizeof *o->x);
    o->y = arena_push(keep, (size_t)NET_MAX_BATCH * NET_CLASSES, sizeof *o->y);
    if (!o->api || !ort_ok(o, o->api->create_env(ORT_WARNING, "peers", &o->env)) ||
        !ort_ok(o, o->api->create_session_options(&o->options)) ||
        !ort_ok(o, o->api->set_optimization(o->options, ORT_ALL)) ||
        !ort_ok(o, o->api->set_intra_threads(o->options, o->n_threads)) ||
        !ort_ok(o, o->api->set_inter_threads(o->options, 1)) ||
        !ort_ok(o, o->api->create_cpu_memory(ORT_ARENA, 0, &o->memory))) {
        return false;
    }
    for (int i = 0; i < NET_MAX_BATCH * NET_INPUT; i++) {
        o->x[i] = (float)(i % 2039) / 1024.0F - 1;
    }
    printf("onnxruntime %s, %d threads\n", base()->version(), o->n_threads);
    fflush(stdout);
    return true;
}

int main(int argc, char **argv)
{
    char line[4200], path[4097] = "", last[4097] = "";
    struct ort o = {.n_threads = argc > 2 ? atoi(argv[2]) : 1};
    void *session = NULL;
    struct arena keep;
    struct err e;
    if (argc < 3 || !arena_init(&keep, (size_t)1 << 30, &e) || !ort_open(&o, &keep, argv[1])) {
        fprintf(stderr, "usage: ort_nets LIBONNXRUNTIME.SO THREADS\n");
        return 1;
    }
    while (fgets(line, sizeof line, stdin)) {
        int n;
        double seconds;
        if (sscanf(line, "%4096s %d %lf", path, &n, &seconds) != 3 || n < 1 || n > NET_MAX_BATCH) {
            printf("skip expected: FILE.onnx N SECONDS\n");
            fflush(stdout);
            continue;
        }
        if (strcmp(path, last) != 0) { /* the session before is left to the end of the process */
            last[0] = 0;
            if (!ort_ok(&o, o.api->create_session(o.env, path, o.options, &session))) {
                continue;
            }
            memcpy(last, path, sizeof last);
        }
        ort_measure(&o, session, n, seconds);
    }
    arena_release(&keep);
    return 0;
}
