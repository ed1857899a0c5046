/* archname.h: the names of networks as people type them: a model's own name (resnet20, mlp:256,
 * nb201:333123) or SPACE/ARCH with any way a space knows an architecture (nb201/13714). */
#ifndef CLI_ARCHNAME_H
#define CLI_ARCHNAME_H

#include "nn/model.h"

/* Fill spec->arch from the name. ERR_USAGE or ERR_INPUT as the space says; model_build checks the
 * rest. */
MUST_USE bool archname_resolve(struct model_spec *spec, const char *name, struct err *e);

#endif
