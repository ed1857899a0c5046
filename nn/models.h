/* models.h: the table of architectures. Contract: nn/model.h; rooms: nn/model_*.c. */
#ifndef NN_MODELS_H
#define NN_MODELS_H

#include "nn/model.h"

int models_count(void);
const struct model *models_at(int i);

/* The architecture whose weight files have these tensor names (sorted); false if none is known. */
MUST_USE bool models_recognise(const char *const *names, int n, char arch[256]);

#endif
