// distillation.cu: representation distillation, forward and backward.
// Math     loss = weight Σ (z - z°)² / n      dz += factor (z - z°), factor = 2 weight / n            z° from the model of the previous stage
// Shapes   loss [1]   dz, z, z° [n] float32, n = cells · representation units
// Launch   forward: block 256, the first block alone works (a batch has some thousand elements), float64 sums, a fixed tree
//          backward: any one-dimensional grid and block; no shared memory
// Traffic  forward reads 2n floats; backward reads 3n, writes n
// Work     3n FLOP each: bound by latency
// Access   loss Write, dz Accumulate
#include "common.cuh"

extern "C" __global__ __launch_bounds__(256)
void distillation_forward(float* __restrict__ loss, const float* __restrict__ z, const float* __restrict__ previous, long long n, float weight)
{
    __shared__ double board[8];
    if (blockIdx.x != 0) return;
    double sum = 0;
    for (long long i = threadIdx.x; i < n; i += blockDim.x) {
        const double difference = (double)z[i] - previous[i];
        sum += difference * difference;
    }
    sum = block_sum(sum, board);
    if (threadIdx.x == 0) *loss = (float)((double)weight * sum / (double)n);
}
EXPORT_KERNEL(distillation_forward)

extern "C" __global__ __launch_bounds__(256)
void distillation_backward(float* __restrict__ dz, const float* __restrict__ z, const float* __restrict__ previous, long long n, float factor)
{
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += (long long)gridDim.x * blockDim.x)
        dz[i] += factor * (z[i] - previous[i]);
}
EXPORT_KERNEL(distillation_backward)
