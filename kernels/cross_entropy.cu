// cross_entropy.cu: label-smoothed cross-entropy over rows, forward and backward.     Szegedy et al. 2016, arXiv:1512.00567
// Math     loss[n] = log Σ exp(z) - (1 - s) z[y] - s / K Σ z      dz[n, k] = scale weight (exp(z[k] - log Σ exp(z)) - target[k])
//          target = (1 - s) one-hot(y) + s / K; a label y outside [0, K) leaves the row out: loss 0, gradient 0, whatever its logits are.
//          float64 inside, rounded once: cell types that differ by a hundredth stay apart.
// Shapes   loss [N]   dz, z [N, K] row-major float32   labels [N] int32   weight [1] float32, null for 1
// Launch   one-dimensional, blocks of whole warps, any grid; 64 registers are allowed (left alone, the compiler aims at 32 and spills);
//          a row takes the power of two of lanes that holds K, at most a warp; no shared memory
// Traffic  forward reads N·K floats and N ints, writes N floats; backward writes N·K more (a row's later reads come from L1)
// Work     N·K exponentials and 6·N·K FLOP forward, 2·N·K exponentials and 8·N·K FLOP backward, in float64
// Access   loss Write, dz Write
#include "common.cuh"

extern "C" __global__ __launch_bounds__(256, 4)
void cross_entropy_forward(float* __restrict__ loss, const float* __restrict__ z, const int* __restrict__ labels, int N, int K, float smoothing)
{
    const int lanes = row_lanes(K), lane = threadIdx.x % lanes, rows = blockDim.x / lanes;
    for (unsigned first = blockIdx.x * rows; first < (unsigned)N; first += gridDim.x * rows) {
        const unsigned n = first + threadIdx.x / lanes;
        const int label = n < (unsigned)N ? labels[n] : -1;
        const bool counts = (unsigned)label < (unsigned)K;
        const int count = counts ? K : 0;
        const float* row = z + (counts ? (size_t)n * K : 0);
        const double normaliser = log_sum_exp(row, count, 1, lane, lanes);
        double sum = 0;
        for (int k = lane; k < count; k += lanes) sum += row[k];
        sum = group_sum(sum, lanes);
        if (lane != 0 || n >= (unsigned)N) continue;
        loss[n] = counts ? (float)(normaliser - (1 - (double)smoothing) * row[label] - (double)smoothing / K * sum) : 0.0f;
    }
}
EXPORT_KERNEL(cross_entropy_forward)

extern "C" __global__ __launch_bounds__(256, 4)
void cross_entropy_backward(float* __restrict__ dz, const float* __restrict__ z, const int* __restrict__ labels, const float* __restrict__ weight,
                            int N, int K, float smoothing, float scale)
{
    const int lanes = row_lanes(K), lane = threadIdx.x % lanes, rows = blockDim.x / lanes;
    const double smooth = (double)smoothing / K, hit = smooth + (1 - (double)smoothing), factor = weight ? (double)scale * weight[0] : scale;
    for (unsigned first = blockIdx.x * rows; first < (unsigned)N; first += gridDim.x * rows) {
        const unsigned n = first + threadIdx.x / lanes;
        const int label = n < (unsigned)N ? labels[n] : -1;
        const bool counts = (unsigned)label < (unsigned)K;
        const float* row = z + (counts ? (size_t)n * K : 0);
        const double normaliser = log_sum_exp(row, counts ? K : 0, 1, lane, lanes);
        if (n >= (unsigned)N) continue;
        for (int k = lane; k < K; k += lanes)
            dz[(size_t)n * K + k] = counts ? (float)(factor * (exp(row[k] - normaliser) - (k == label ? hit : smooth))) : 0.0f;
    }
}
EXPORT_KERNEL(cross_entropy_backward)
