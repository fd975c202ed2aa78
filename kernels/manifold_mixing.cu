// manifold_mixing.cu: mixtures of the manifold vectors of two cells.
// Math     mixed[b, j] = w[b, j] own[b] + (1 - w[b, j]) partner[b]
// Shapes   mixed [B, J, R]   own, partner [B, R]   w [B, J]                                                      row-major float32
// Launch   one-dimensional, blocks of whole warps, a warp a mixture, any grid; no shared memory
// Traffic  reads B·(2R + J) floats (own and partner again from L2), writes B·J·R
// Work     3·B·J·R FLOP: bound by memory bandwidth
// Access   mixed Write
#include "common.cuh"

extern "C" __global__ __launch_bounds__(256)
void manifold_mixing(float* __restrict__ mixed, const float* __restrict__ own, const float* __restrict__ partner, const float* __restrict__ weights,
                     int rows, int J, int R)
{
    const int lane = threadIdx.x % WARP_SIZE, warps = blockDim.x / WARP_SIZE;
    for (unsigned row = blockIdx.x * warps + threadIdx.x / WARP_SIZE; row < (unsigned)rows; row += gridDim.x * warps) {
        const size_t cell = (size_t)(row / J) * R, at = (size_t)row * R;
        const float w = weights[row], rest = 1.0f - w;
        for (int r = lane; r < R; r += WARP_SIZE) mixed[at + r] = w * own[cell + r] + rest * partner[cell + r];
    }
}
EXPORT_KERNEL(manifold_mixing)
