/*
 * problem.h: benchmark problems as strings, letters followed by numbers: what hdnas bench, the
 * lists of shapes (bench/shapes), tuned tables and the peers' glue have in common.
 */
#ifndef CORE_PROBLEM_H
#define CORE_PROBLEM_H

#include "core/conv.h"

/* Images, input height and width, channels in and out, kernel side, stride, padding, groups. */
#define PROBLEM_CONV_FORM "conv:n32h32w32c16k16r3s1p1g1"
enum { PROBLEM_CONV_LEN = 128 };

/* Read "n32h16..." : values[i] becomes the number behind letters[i], 0 to 2^20; those not named
 * keep what they hold. ERR_USAGE names what cannot be read, and letters whose value is still
 * negative; the hint is the form. */
MUST_USE bool problem_numbers(const char *text, const char *letters, int *values, const char *form,
                              struct err *e);

/* Read a convolution; left out: n = 1, w = h, s = 1, p = r / 2, g = 1, "conv:" itself. ERR_USAGE
 * for what cannot be read and shapes that make no sense. */
MUST_USE bool problem_conv(struct conv_shape *s, const char *text, struct err *e);

/* The string of a convolution with a square kernel, nothing left out. */
void problem_conv_format(char text[PROBLEM_CONV_LEN], const struct conv_shape *s);

#endif
