// arithmetic.cu: not defects, but what hardware does to numbers and the processor does not.
#include "common.cuh"

extern "C" __global__ void exponentials(float* __restrict__ y, const float* __restrict__ x) { y[threadIdx.x] = ex2(x[threadIdx.x]); }
EXPORT_KERNEL(exponentials)

// d [16, 8] = a [16, 16] b [16, 8], b as its columns.
template <class H> __device__ __forceinline__ void product(float* __restrict__ d, const H* __restrict__ a, const H* __restrict__ b)
{
    const int g = threadIdx.x / 4, t = threadIdx.x % 4;
    unsigned fa[4], fb[2];
    float fd[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    for (int i = 0; i < 4; i++) fa[i] = *(const unsigned*)(a + (g + 8 * (i % 2)) * 16 + 2 * t + 8 * (i / 2));
    for (int i = 0; i < 2; i++) fb[i] = *(const unsigned*)(b + g * 16 + 2 * t + 8 * i);
    mma_16816<H>(fd, fa, fb);
    for (int i = 0; i < 4; i++) d[(g + 8 * (i / 2)) * 8 + 2 * t + i % 2] = fd[i];
}
extern "C" __global__ void product_f16(float* __restrict__ d, const f16* __restrict__ a, const f16* __restrict__ b) { product(d, a, b); }
EXPORT_KERNEL(product_f16)
extern "C" __global__ void product_bf16(float* __restrict__ d, const bf16* __restrict__ a, const bf16* __restrict__ b) { product(d, a, b); }
EXPORT_KERNEL(product_bf16)

// The four matrices of ldmatrix, each [8, 8], as they lie and turned round.
extern "C" __global__ void matrices(unsigned* __restrict__ plain, unsigned* __restrict__ turned, const f16* __restrict__ x)
{
    __shared__ __align__(16) f16 board[256];
    for (int i = threadIdx.x; i < 256; i += 32) board[i] = x[i];
    __syncwarp();
    unsigned r[4];
    ldmatrix_x4(r, board + threadIdx.x * 8);
    for (int i = 0; i < 4; i++) plain[threadIdx.x * 4 + i] = r[i];
    ldmatrix_x4_trans(r, board + threadIdx.x * 8);
    for (int i = 0; i < 4; i++) turned[threadIdx.x * 4 + i] = r[i];
}
EXPORT_KERNEL(matrices)
