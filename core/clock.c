#define _GNU_SOURCE
#include "core/clock.h"

#include <time.h>

static double clock_read_s(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double clock_now_s(void)
{
    return clock_read_s(CLOCK_MONOTONIC);
}

double clock_thread_s(void)
{
    return clock_read_s(CLOCK_THREAD_CPUTIME_ID);
}
