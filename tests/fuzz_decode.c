/* Pictures from hostile hands. libFuzzer: tests/fuzz.sh builds and runs it. */
#include "data/decode.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* Make the checksums of PNG chunks right, or nothing behind them would ever be reached. */
static void mend(uint8_t *bytes, size_t n)
{
    for (size_t at = 8; n >= 20 && at <= n - 12;) {
        size_t len = (size_t)bytes[at] << 24 | (size_t)bytes[at + 1] << 16 |
                     (size_t)bytes[at + 2] << 8 | bytes[at + 3];
        if (len > n - at - 12) {
            return;
        }
        unsigned long crc = crc32(0, bytes + at + 4, (unsigned)len + 4);
        for (int i = 0; i < 4; i++) {
            bytes[at + 8 + len + (size_t)i] = (uint8_t)(crc >> (24 - 8 * i));
        }
        at += len + 12;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct decode d;
    struct err e;
    uint8_t *copy = malloc(n + 1);
    memcpy(copy, bytes, n);
    if (n > 0 && copy[0] == 0x89) {
        mend(copy, n);
    }
    if (decode_open(&d, "fuzz", copy, n, &e)) {
        decode_close(&d);
    }
    free(copy);
    return 0;
}
