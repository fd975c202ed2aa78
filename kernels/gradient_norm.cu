// gradient_norm.cu: the Euclidean norm of all gradients, and the factor that clips it.       torch.nn.utils.clip_grad_norm_
// Math     norm = sqrt(Σ g²)      scale = min(1, maximum / (norm + 1e-6)), NaN where the norm is
// Shapes   norm, scale [1] float32   partials [chunks] float64, chunks of CHUNK elements   g [P] float32
// Launch   chunks: block 256, any grid.x, a chunk a turn; finish: block 256, the first block alone works; both 64 bytes of shared memory
// Traffic  reads P floats
// Work     2·P FLOP in float64: bound by memory bandwidth (on cards with few float64 units about as much by arithmetic)
// Access   norm, scale Write; sums in an order given by P alone
#include "common.cuh"

#define GRADIENT_CHUNK 16384
#define CLIPPING_EPSILON 1e-6f                                        // clip_grad_norm_ divides by norm + 1e-6

extern "C" __global__ __launch_bounds__(256)
void gradient_norm_chunks(double* __restrict__ partials, const float* __restrict__ g, long long P, int chunks)
{
    __shared__ double board[8];
    for (int chunk = blockIdx.x; chunk < chunks; chunk += gridDim.x) {
        const long long first = (long long)chunk * GRADIENT_CHUNK;
        const int count = P - first < GRADIENT_CHUNK ? (int)(P - first) : GRADIENT_CHUNK;
        double sum = 0;
        for (int i = threadIdx.x; i < count; i += blockDim.x) {
            const double x = g[first + i];
            sum += x * x;
        }
        sum = block_sum(sum, board);
        if (threadIdx.x == 0) partials[chunk] = sum;
    }
}
EXPORT_KERNEL(gradient_norm_chunks)

extern "C" __global__ __launch_bounds__(256)
void gradient_norm_finish(float* __restrict__ norm, float* __restrict__ scale, const double* __restrict__ partials, int chunks, float maximum)
{
    __shared__ double board[8];
    if (blockIdx.x != 0) return;
    double sum = 0;
    for (int chunk = threadIdx.x; chunk < chunks; chunk += blockDim.x) sum += partials[chunk];
    sum = block_sum(sum, board);
    if (threadIdx.x != 0) return;
    const float root = (float)sqrt(sum), factor = maximum / (root + CLIPPING_EPSILON);
    *norm = root;
    *scale = factor >= 1.0f ? 1.0f : factor;
}
EXPORT_KERNEL(gradient_norm_finish)
