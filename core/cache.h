/* cache.h: how large the caches of this machine are, for measuring them. No result depends on it.
 */
#ifndef CORE_CACHE_H
#define CORE_CACHE_H

#include "core/base.h"

/* Bytes of data cache of level 1, 2 or 3 that the first processor reaches; where the system does
 * not tell: 32 KiB, 1 MiB and 32 MiB. */
size_t cache_bytes(int level);

#endif
