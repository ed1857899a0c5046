/* ops.h: the table of network operations. Contract: nn/op.h; rooms: nn/op_*.c. */
#ifndef NN_OPS_H
#define NN_OPS_H

#include "nn/op.h"

/* The op of this name, NULL if there is none. */
const struct op *op_find(const char *name);

/* All of them, for tests that must not forget one. */
int ops_count(void);
const struct op *ops_at(int i);

#endif
