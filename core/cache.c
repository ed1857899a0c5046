#include "core/cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CACHE_MAX_INDEX = 8 };

/* One word of a file of the kernel's about cache number `index`; "" where there is none. */
static void cache_word(int index, const char *name, char word[32])
{
    char path[96];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/%s", index, name);
    FILE *f = fopen(path, "r");
    word[0] = 0;
    if (f) {
        if (!fgets(word, 32, f)) {
            word[0] = 0;
        }
        word[strcspn(word, "\n")] = 0;
        fclose(f);
    }
}

size_t cache_bytes(int level)
{
    static const size_t usual[] = {0, 32 << 10, 1 << 20, 32 << 20};
    ASSERT(level >= 1 && level <= 3);
    for (int i = 0; i < CACHE_MAX_INDEX; i++) {
        char at[32], type[32], size[32];
        cache_word(i, "level", at);
        cache_word(i, "type", type);
        cache_word(i, "size", size);
        char *end;
        unsigned long n = strtoul(size, &end, 10);
        if (atoi(at) == level && strcmp(type, "Instruction") != 0 && n > 0 && n < 1UL << 30) {
            return (size_t)n << (*end == 'K' ? 10 : *end == 'M' ? 20 : 0);
        }
    }
    return usual[level];
}
