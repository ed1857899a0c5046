#include "core/wino_tiles.h"

struct wino_tiles wino_tiles_of(int h, int w)
{
    int in_row = DIV_UP(w, 4), in_column = DIV_UP(h, 4);
    return (struct wino_tiles){in_row, in_column, in_row * in_column};
}

struct wino_tile wino_tiles_at(const struct wino_tiles *t, int tile)
{
    int in_image = tile % t->in_image;
    return (struct wino_tile){tile / t->in_image, in_image / t->in_row * 4,
                              in_image % t->in_row * 4};
}

/* Floats on which the tiles before `tile` lie. */
static size_t wino_tiles_reach(const struct wino_tiles *t, int tile, int h, size_t row, int beyond)
{
    int n_rows = DIV_UP(tile, t->in_row), y = 4 * (n_rows % t->in_column);
    size_t rows = (size_t)(n_rows / t->in_column) * (size_t)h;
    return (rows + (size_t)(y > 0 ? MIN(h, y + beyond) : 0)) * row;
}

struct kernel_ahead wino_tiles_ahead(const struct wino_tiles *t, const float *p, int first, int end,
                                     int h, size_t row, int beyond)
{
    size_t from = wino_tiles_reach(t, first, h, row, beyond);
    return (struct kernel_ahead){p + from, wino_tiles_reach(t, end, h, row, beyond) - from};
}

size_t wino_tiles_zeros(const struct wino_tiles *t, int c)
{
    return (size_t)(4 * t->in_row + 2) * (size_t)c;
}

int wino_tiles_input(const struct kernels *k, float *v, ptrdiff_t v_step,
                     const struct wino_tiles *t, const struct wino_source *s, int tile, int n)
{
    struct wino_tile at = wino_tiles_at(t, tile);
    int y0 = at.y - s->pad, x0 = at.x - s->pad;
    const float *image = s->data + (size_t)at.image * (size_t)s->h * (size_t)s->w * (size_t)s->c;
    struct kernel_wino_in in = {.v = v,
                                .v_step = v_step,
                                .n_tiles = MIN(n, t->in_row - at.x / 4),
                                .lo = MAX(0, -x0),
                                .hi = s->w - x0,
                                .c = s->c,
                                .relu = s->relu};
    for (int r = 0; r < 6; r++) {
        bool inside = y0 + r >= 0 && y0 + r < s->h;
        in.rows[r] = inside ? image + ((ptrdiff_t)(y0 + r) * s->w + x0) * s->c : s->zeros;
    }
    k->wino_input_f32(&in);
    return in.n_tiles;
}
