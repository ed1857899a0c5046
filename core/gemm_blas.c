#include "core/gemm.h"

#include <cblas-openblas.h>

void gemm_blas(bool trans_a, bool trans_b, int m, int n, int k, float alpha, const float *a,
               int lda, const float *b, int ldb, float beta, float *c, int ldc)
{
    cblas_sgemm(CblasRowMajor, trans_a ? CblasTrans : CblasNoTrans,
                trans_b ? CblasTrans : CblasNoTrans, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

const char *gemm_blas_name(void)
{
    return openblas_get_config();
}

bool gemm_blas_init(struct err *e)
{
    static const char *const kinds[] = {"serial", "pthreads", "OpenMP"};
    int kind = openblas_get_parallel();
    openblas_set_num_threads(1);
    int n = openblas_get_num_threads();
    if (n == 1) {
        return true;
    }
    err_set(e, ERR_FAILED, "BLAS (%s, %s) keeps %d threads where hdnas needs it serial",
            openblas_get_config(),
            kind >= 0 && kind < (int)N_ELEMS(kinds) ? kinds[kind] : "of an unknown kind", n);
    return err_hint(e, "set OPENBLAS_NUM_THREADS=1 (OMP_NUM_THREADS=1 for the OpenMP flavour)");
}
