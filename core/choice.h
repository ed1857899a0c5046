/*
 * choice.h: a tuned table: which algorithm does which convolution. hdnas bench --tune measures and
 * writes one; a machine that holds one (core/machine.h) is told by it what CONV_AUTO stands for.
 * The choice is by the shape of one image, direction, tier and precision, never by the number of
 * images or of threads: results do not depend on either. Another table is another order of sums, so
 * other bits: runs record its checksum.
 */
#ifndef CORE_CHOICE_H
#define CORE_CHOICE_H

#include "core/conv.h"

enum { CHOICE_MAX_ROWS = 65536 };

struct choice_row {
    int key[9]; /* h w c k r s p g and the direction */
    enum conv_algo algo;
    size_t line; /* of the file */
};

struct choice {
    const struct choice_row *rows; /* [n] by ascending key: those for the machine */
    int n;
    const char *path;
    const unsigned char *bytes; /* [n_bytes] the file as it was read */
    size_t n_bytes;
    char sha256[65]; /* of the bytes */
};

/*
 * Read a table for this machine's tier and precision: CSV with the columns problem
 * (conv:h32w32c16k16r3s1p1g1, n is passed over), direction (fwd, bwd_data, bwd_weights), tier,
 * precision (fp32, bf16) and algo; others are not looked at. Rows of other tiers and precisions are
 * read and passed over. ERR_INPUT with path and line
 * for what cannot be read, what the algorithm cannot do, and a shape that stands there twice.
 */
MUST_USE bool choice_read(struct choice *c, struct arena *keep, const char *path,
                          const struct machine *mc, struct err *e);

/* What the table says, CONV_AUTO where it says nothing. O(log n). */
enum conv_algo choice_find(const struct choice *c, const struct conv_shape *s, enum conv_dir dir);

#endif
