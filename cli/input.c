#include "cli/input.h"

#include <stdlib.h>

/* Larger sides than any network here was made for; products of three still fit an int64_t. */
static const long max_side = 4096;

bool input_read(struct model_spec *spec, const struct options *o, struct err *e)
{
    const char *text = options_text(o, "image"), *at = text;
    long side[3] = {0};
    bool ok = true;
    for (int i = 0; i < 3 && ok; i++) {
        char *end;
        side[i] = strtol(at, &end, 10);
        ok = *at >= '0' && *at <= '9' && side[i] >= 1 && side[i] <= max_side &&
             *end == (i < 2 ? 'x' : 0);
        at = end + 1;
    }
    if (!ok) {
        err_set(e, ERR_USAGE, "--image %.40s: HEIGHTxWIDTHxCHANNELS expected, each from 1 to %ld",
                text, max_side);
        return err_hint(e, "for instance --image 32x32x3");
    }
    *spec = (struct model_spec){.input = {(int)side[0], (int)side[1], (int)side[2]},
                                .n_classes = (int)options_int(o, "classes")};
    return true;
}
