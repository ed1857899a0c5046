/* input.h: the images a network is counted or measured for, from the options that commands without
 * data share. */
#ifndef CLI_INPUT_H
#define CLI_INPUT_H

#include "cli/options.h"
#include "nn/model.h"

/* Rows for a command's table. */
/* clang-format off */
#define INPUT_OPTIONS \
    {"image", OPTION_TEXT, "HxWxC", "32x32x3", "shape of one image: height, width, channels", 0, 0}, \
    {"classes", OPTION_INT, "N", "10", "number of classes", 1, 100000}
/* clang-format on */

/* Fill input shape and classes; the architecture is left empty. ERR_USAGE for what is no shape. */
MUST_USE bool input_read(struct model_spec *spec, const struct options *o, struct err *e);

#endif
