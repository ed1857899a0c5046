/* base.h: the few words every file of the project uses. No memory, no state, no output but a failed
 * assertion. */
#ifndef CORE_BASE_H
#define CORE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A bug stops the program in every build; what the world can get wrong is an `struct err` instead.
 */
#define ASSERT(cond) ((cond) ? (void)0 : base_assert_failed(__FILE__, __LINE__, #cond))

/* The caller may not ignore the result. */
#define MUST_USE __attribute__((warn_unused_result))

/* printf-like: argument `fmt` is the format, `first` the first value. */
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))

#define N_ELEMS(array) (sizeof(array) / sizeof((array)[0]))
#define MIN(a, b)      ((a) < (b) ? (a) : (b))
#define MAX(a, b)      ((a) > (b) ? (a) : (b))
#define DIV_UP(a, b)   (((a) + (b)-1) / (b))

/* Write file, line and condition to stderr and abort. */
_Noreturn void base_assert_failed(const char *file, int line, const char *cond);

/* *out = a * b; false if it does not fit. The one place where sizes from outside are multiplied. */
MUST_USE static inline bool base_mul(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

#endif
