/*
 * tiles.h: the words of core/simd_amx.h in plain C, as Intel's manual defines LDTILECFG, TILELOADD,
 * TILESTORED and TDPBF16PS, with what breaks their rules made a failure: the loops of
 * core/kernels/tiles_body.h run over them where no processor has tiles.
 */
#ifndef TESTS_TILES_H
#define TESTS_TILES_H

#include "core/base.h"

#include <stdint.h>
#include <string.h>

struct tile_config {
    uint8_t palette, start_row, zero[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
};
_Static_assert(sizeof(struct tile_config) == 64, "LDTILECFG reads 64 bytes");

struct tiles {
    struct tile_config config;
    uint8_t data[8][16][64];
};

static inline void tile_configure(struct tiles *t, const struct tile_config *c)
{
    ASSERT(c->palette == 1 && c->start_row == 0);
    for (int i = 0; i < 16; i++) {
        ASSERT(c->rows[i] <= 16 && c->row_bytes[i] <= 64 && c->row_bytes[i] % 4 == 0);
        ASSERT((c->rows[i] == 0) == (c->row_bytes[i] == 0));
        ASSERT(i < 8 || c->rows[i] == 0);
    }
    memset(t, 0, sizeof *t);
    t->config = *c;
}

static inline void tile_load(struct tiles *t, int i, const void *p, ptrdiff_t step)
{
    ASSERT(t->config.rows[i] > 0);
    memset(t->data[i], 0, sizeof t->data[i]);
    for (int r = 0; r < t->config.rows[i]; r++) {
        memcpy(t->data[i][r], (const uint8_t *)p + r * step, t->config.row_bytes[i]);
    }
}

static inline void tile_store(const struct tiles *t, int i, void *p, ptrdiff_t step)
{
    ASSERT(t->config.rows[i] > 0);
    for (int r = 0; r < t->config.rows[i]; r++) {
        memcpy((uint8_t *)p + r * step, t->data[i][r], t->config.row_bytes[i]);
    }
}

/* Element k of the bf16 in a row. */
static inline float tile_bf16(const uint8_t *row, int k)
{
    uint16_t half;
    float v;
    memcpy(&half, row + 2 * k, sizeof half);
    uint32_t bits = (uint32_t)half << 16;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* First and second products have a sum each, which are added at the end. */
static inline void tile_dot(struct tiles *t, int c, int a, int b)
{
    const struct tile_config *f = &t->config;
    ASSERT(f->rows[a] > 0 && f->rows[b] > 0 && f->rows[c] > 0 && a != b && b != c && a != c);
    ASSERT(f->rows[c] == f->rows[a] && f->row_bytes[c] == f->row_bytes[b]);
    ASSERT(f->rows[b] == f->row_bytes[a] / 4);
    for (int m = 0; m < f->rows[c]; m++) {
        for (int n = 0; n < f->row_bytes[c] / 4; n++) {
            float first = 0, second = 0, sum;
            for (int k = 0; k < f->rows[b]; k++) {
                first += tile_bf16(t->data[a][m], 2 * k) * tile_bf16(t->data[b][k], 2 * n);
                second += tile_bf16(t->data[a][m], 2 * k + 1) * tile_bf16(t->data[b][k], 2 * n + 1);
            }
            memcpy(&sum, t->data[c][m] + 4 * n, sizeof sum);
            sum += first + second;
            memcpy(t->data[c][m] + 4 * n, &sum, sizeof sum);
        }
    }
}

#define TILE_CONFIG(t, config)    tile_configure(t, config)
#define TILE_RELEASE(t)           memset(t, 0, sizeof *(t))
#define TILE_LOAD(t, i, p, step)  tile_load(t, i, p, step)
#define TILE_STORE(t, i, p, step) tile_store(t, i, p, step)
#define TILE_DOT(t, c, a, b)      tile_dot(t, c, a, b)

#endif
