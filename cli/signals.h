/*
 * signals.h: SIGINT and SIGTERM ask for an orderly end: long loops look at signals_pending between
 * pieces of work, put their state on disk and return ERR_INTERRUPTED. A second signal leaves at
 * once.
 */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

#include "core/base.h"

/* From now on catch both. Commands that can put their state on disk call it; the others die of the
 * signal as usual. */
void signals_install(void);

/* A signal has come. */
bool signals_pending(void);

#endif
