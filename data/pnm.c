#include "data/pnm.h"

/* Where the header is being read. */
struct pnm_reader {
    const char *path;
    const unsigned char *bytes;
    size_t n, at;
};

static bool pnm_is_space(int c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* A number after white space and comments, which run from # to the end of the line. */
static bool pnm_number(struct pnm_reader *r, const char *what, int max, int *value, struct err *e)
{
    while (r->at < r->n && (pnm_is_space(r->bytes[r->at]) || r->bytes[r->at] == '#')) {
        if (r->bytes[r->at] == '#') {
            while (r->at < r->n && r->bytes[r->at] != '\n') {
                r->at++;
            }
        } else {
            r->at++;
        }
    }
    size_t first = r->at;
    *value = 0;
    while (r->at < r->n && r->bytes[r->at] >= '0' && r->bytes[r->at] <= '9' && *value <= max) {
        *value = *value * 10 + (r->bytes[r->at++] - '0');
    }
    return (r->at > first && *value >= 1 && *value <= max) ||
           err_set(e, ERR_INPUT, "%s: byte %zu: expected a %s from 1 to %d in the PNM header",
                   r->path, first, what, max);
}

bool pnm_read(struct pnm *pnm, const char *path, const unsigned char *bytes, size_t n, int max_side,
              struct err *e)
{
    /* A number is at most ten times that, so that int holds it. */
    ASSERT(pnm && path && bytes && max_side > 0 && max_side <= 65535);
    struct pnm_reader r = {.path = path, .bytes = bytes, .n = n, .at = 2};
    if (n < 3 || bytes[0] != 'P' || (bytes[1] != '5' && bytes[1] != '6') ||
        !(pnm_is_space(bytes[2]) || bytes[2] == '#')) {
        return err_set(e, ERR_INPUT, "%s: byte 0: expected the PNM magic P5 or P6", path);
    }
    pnm->n_channels = bytes[1] == '5' ? 1 : 3;
    if (!pnm_number(&r, "width", max_side, &pnm->w, e) ||
        !pnm_number(&r, "height", max_side, &pnm->h, e) ||
        !pnm_number(&r, "maximum", 65535, &pnm->max, e)) {
        return false;
    }
    /* One white space, then samples. */
    size_t want =
        (size_t)pnm->w * (size_t)pnm->h * (size_t)pnm->n_channels * (pnm->max > 255 ? 2 : 1);
    if (r.at >= n || !pnm_is_space(bytes[r.at]) || n - r.at - 1 < want) {
        return err_set(
            e, ERR_INPUT,
            "%s: the picture is cut off: expected a white space and %zu bytes of samples "
            "from byte %zu, found %zu",
            path, want, r.at, n - r.at);
    }
    pnm->samples = bytes + r.at + 1;
    return true;
}

void pnm_rgb(uint8_t *rgb, const struct pnm *pnm)
{
    size_t n = (size_t)pnm->w * (size_t)pnm->h;
    const unsigned char *p = pnm->samples;
    for (size_t i = 0; i < n; i++) {
        for (int c = 0; c < 3; c++) {
            if (c == 0 || pnm->n_channels == 3) {
                int v = *p++;
                v = pnm->max > 255 ? v << 8 | *p++ : v;
                rgb[c] = (uint8_t)((MIN(v, pnm->max) * 255 + pnm->max / 2) / pnm->max);
            } else {
                rgb[c] = rgb[0];
            }
        }
        rgb += 3;
    }
}
