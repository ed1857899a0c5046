/* absent.c: what core has from foreign libraries (files, digests, BLAS), for programs that are linked
 * without them: nothing can be read. */
#include "core/digest.h"
#include "core/file.h"
#include "core/gemm.h"

bool file_read(struct arena *keep, const char *path, size_t max_bytes, unsigned char **bytes,
               size_t *n, struct err *e)
{
    (void)keep;
    (void)max_bytes;
    (void)bytes;
    (void)n;
    return err_set(e, ERR_INPUT, "%s: this program reads no files", path);
}

bool digest_open(struct digest *d, struct err *e)
{
    (void)d;
    return err_set(e, ERR_FAILED, "this program has no SHA-256");
}

void digest_add(struct digest *d, const void *bytes, size_t n)
{
    (void)d;
    (void)bytes;
    (void)n;
}

void digest_close(struct digest *d, char hex[65])
{
    (void)d;
    hex[0] = 0;
}

bool gemm_blas_init(struct err *e)
{
    (void)e;
    return true;
}
