/*
 * conv_rows.h: how rows of a convolution's source reach rows of its destination: forward from x to
 * y, backward data from dy to dx. With stride s, backward data falls into s phases of columns (and
 * rows likewise), each of which sees every s-th kernel column at stride 1:
 *
 *   forward, stride 2      y[o] = x[2o] w0 + x[2o+1] w1 + x[2o+2] w2
 *   backward data          dx[2i] = dy[i] w0 + dy[i-1] w2,  dx[2i+1] = dy[i] w1
 */
#ifndef CORE_CONV_ROWS_H
#define CORE_CONV_ROWS_H

#include "core/conv.h"

struct conv_rows {
    bool back; /* backward data */
    int src_h, src_w, src_c;
    int dst_h, dst_w, dst_c;
    int kh, kw, stride, pad;
    int left, right;    /* columns of zeros around a source row */
    int n_slots;        /* source rows that one destination row sees */
    int step, n_phases; /* of destination columns */
};

/* Destination columns first, first + step ... that see the same kernel columns, which are
 * neighbours in the source and, as conv_rows_place lays them out, in the weights. */
struct conv_phase {
    int first, n_pixels;
    int place, n_places; /* kernel columns, by their place in a row of the weights */
    int col;             /* source column that the first place brings to the first pixel, halo in */
};

/* dir is forward or backward data. */
struct conv_rows conv_rows_of(const struct conv_shape *s, enum conv_dir dir);

struct conv_phase conv_rows_phase(const struct conv_rows *r, int phase);

/* The pixels of a phase from its i-th on that see the same kernel columns within the image: these
 * columns, and the source column without the halo. */
struct conv_phase conv_rows_part(const struct conv_rows *r, const struct conv_phase *f, int i);

/* Source columns between neighbouring pixels of a phase, source rows between destination rows that
 * see the same kernel rows. */
int conv_rows_pace(const struct conv_rows *r);

/* The source row that kernel row i brings to destination row y; -1 for none. */
int conv_rows_source(const struct conv_rows *r, int y, int i);

/* How many destination rows, y and those after it that are `step` apart, see the same kernel rows,
 * each conv_rows_pace source rows on from the one before. */
int conv_rows_alike(const struct conv_rows *r, int y);

/* Place of kernel column q in a row of the weights: as it is in forward; in backward phase by
 * phase, the last first, which is the order in which they meet source columns. */
int conv_rows_place(const struct conv_rows *r, int q);

#endif
