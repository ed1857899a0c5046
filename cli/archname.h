/* archname.h: the names of networks as people type them: a model's own name (resnet20, mlp:256,
 * nb201:333123) or SPACE/ARCH with any way a space knows an architecture (nb201/13714). */
#ifndef CLI_ARCHNAME_H
#define CLI_ARCHNAME_H

#include "cli/json.h"
#include "nn/model.h"

/* Fill spec->arch from the name. ERR_USAGE or ERR_INPUT as the space says; model_build checks the
 * rest. */
MUST_USE bool archname_resolve(struct model_spec *spec, const char *name, struct err *e);

/* A benchmark index: nothing (null in JSON) in spaces that do not number their architectures. */
const char *archname_index(char text[24], int64_t index);
void archname_index_json(struct json *j, int64_t index);

#endif
