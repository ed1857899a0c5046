#include "core/conv_rows.h"

static int rows_floor_div(int a, int b)
{
    return a >= 0 ? a / b : -((-a + b - 1) / b);
}

struct conv_rows conv_rows_of(const struct conv_shape *s, enum conv_dir dir)
{
    ASSERT(dir != CONV_BWD_WEIGHTS);
    struct conv_rows r = {
        .back = dir == CONV_BWD_DATA, .kh = s->kh, .kw = s->kw, .stride = s->stride, .pad = s->pad};
    if (r.back) {
        r.src_h = s->oh, r.src_w = s->ow, r.src_c = s->k;
        r.dst_h = s->h, r.dst_w = s->w, r.dst_c = s->c;
        r.left = MAX(0, -rows_floor_div(s->pad - (s->kw - 1), s->stride));
        r.right = MAX(0, (s->w - 1 + s->pad) / s->stride - (s->ow - 1));
        r.n_slots = (s->kh - 1) / s->stride + 1;
        r.step = r.n_phases = s->stride;
    } else {
        r.src_h = s->h, r.src_w = s->w, r.src_c = s->c;
        r.dst_h = s->oh, r.dst_w = s->ow, r.dst_c = s->k;
        r.left = s->pad;
        r.right = MAX(0, (s->ow - 1) * s->stride - s->pad + s->kw - s->w);
        r.n_slots = s->kh;
        r.step = r.n_phases = 1;
    }
    return r;
}

/* Kernel columns of a phase, and the place of the first of them. */
static int rows_phase_columns(const struct conv_rows *r, int phase, int *place)
{
    *place = 0;
    for (int f = 0; f < phase; f++) {
        *place += f < r->kw ? (r->kw - f - 1) / r->stride + 1 : 0;
    }
    return phase < r->kw ? (r->kw - phase - 1) / r->stride + 1 : 0;
}

struct conv_phase conv_rows_phase(const struct conv_rows *r, int phase)
{
    ASSERT(phase >= 0 && phase < r->n_phases);
    struct conv_phase f = {.n_places = r->kw};
    if (r->back) {
        f.first = ((phase - r->pad) % r->stride + r->stride) % r->stride;
        f.n_places = rows_phase_columns(r, phase, &f.place);
        int last = phase + r->stride * (f.n_places - 1); /* kernel column of the first place */
        f.col = rows_floor_div(f.first + r->pad - last, r->stride) + r->left;
    }
    f.n_pixels = f.first < r->dst_w ? (r->dst_w - 1 - f.first) / r->step + 1 : 0;
    return f;
}

int conv_rows_pace(const struct conv_rows *r)
{
    return r->back ? 1 : r->stride;
}

struct conv_phase conv_rows_part(const struct conv_rows *r, const struct conv_phase *f, int i)
{
    ASSERT(i >= 0 && i < f->n_pixels);
    struct conv_phase part = *f;
    for (int p = i; p < f->n_pixels; p++) {
        int col = f->col + p * conv_rows_pace(r) - r->left;
        int begin = MIN(f->n_places, MAX(0, -col));
        int end = MAX(begin, MIN(f->n_places, r->src_w - col));
        if (p == i) {
            part = (struct conv_phase){.first = f->first + i * r->step,
                                       .place = f->place + begin,
                                       .n_places = end - begin,
                                       .col = col + begin};
        } else if (f->place + begin != part.place || end - begin != part.n_places) {
            break;
        }
        part.n_pixels++;
    }
    return part;
}

int conv_rows_source(const struct conv_rows *r, int y, int i)
{
    int at = r->back ? y + r->pad - i : y * r->stride - r->pad + i;
    if (r->back) {
        if (at < 0 || at % r->stride != 0) {
            return -1;
        }
        at /= r->stride;
    }
    return at >= 0 && at < r->src_h ? at : -1;
}

int conv_rows_alike(const struct conv_rows *r, int y)
{
    int first = y * r->stride - r->pad, n = r->kh; /* source rows, and where they lie */
    if (r->back) {
        int phase = (y + r->pad) % r->stride;
        n = phase < r->kh ? (r->kh - 1 - phase) / r->stride + 1 : 0;
        first = (y + r->pad - phase) / r->stride - (n - 1);
    }
    int last = first + n - 1, n_more = (r->dst_h - 1 - y) / r->step;
    bool inside = n > 0 && first >= 0 && last < r->src_h;
    return 1 + (inside ? MIN(n_more, (r->src_h - 1 - last) / conv_rows_pace(r)) : 0);
}

int conv_rows_place(const struct conv_rows *r, int q)
{
    int place;
    if (!r->back) {
        return q;
    }
    int n_places = rows_phase_columns(r, q % r->stride, &place);
    return place + n_places - 1 - q / r->stride;
}
