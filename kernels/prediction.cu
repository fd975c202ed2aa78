// prediction.cu: from logits to the three most probable cell types, their probabilities, and the energy of each cell.
// Math     types = the three largest z, ties to the lower index, NaN below every number but -inf, with which it ties; -1 where K < 3
//          probabilities = exp(z - log Σ exp(z))      energy = -T log Σ exp(z / T)                                   in float64, rounded once
// Shapes   types [B, 3] int32   probabilities [B, 3]   energy [B]   z [B, K] row-major float32
// Launch   one-dimensional, blocks of whole warps, a warp a cell, any grid; 64 registers are allowed; no shared memory
// Traffic  reads B·K floats (again from L1), writes 7·B words
// Work     2·B·K exponentials and 10·B·K FLOP in float64
// Access   types, probabilities, energy Write
#include "common.cuh"

// The three best of what was offered, in a total order: larger value first, then lower index. Index -1 is nobody.
struct best3 { float value[3]; int index[3]; };

__device__ __forceinline__ bool is_better(float value, int index, float than, int than_index)
{
    if (index < 0 || than_index < 0) return than_index < 0 && index >= 0;
    return value > than || value == than && index < than_index;
}

__device__ __forceinline__ void offer(best3& best, float value, int index)
{
    UNROLL for (int place = 0; place < 3; place++) {
        if (!is_better(value, index, best.value[place], best.index[place])) continue;
        const float v = best.value[place];
        const int i = best.index[place];
        best.value[place] = value;
        best.index[place] = index;
        value = v;
        index = i;
    }
}

extern "C" __global__ __launch_bounds__(256, 4)
void prediction(int* __restrict__ types, float* __restrict__ probabilities, float* __restrict__ energy, const float* __restrict__ z,
                int B, int K, float temperature)
{
    const int lane = threadIdx.x % WARP_SIZE, cells = blockDim.x / WARP_SIZE;
    for (unsigned b = blockIdx.x * cells + threadIdx.x / WARP_SIZE; b < (unsigned)B; b += gridDim.x * cells) {
        const float* row = z + (size_t)b * K;
        const double normaliser = log_sum_exp(row, K, 1, lane, WARP_SIZE);
        const double hot = log_sum_exp(row, K, temperature, lane, WARP_SIZE);
        best3 best = {{0, 0, 0}, {-1, -1, -1}};
        for (int k = lane; k < K; k += WARP_SIZE) offer(best, row[k] == row[k] ? row[k] : -INFINITY_F, k);
        for (int offset = WARP_SIZE / 2; offset > 0; offset /= 2) {
            best3 other;
            UNROLL for (int place = 0; place < 3; place++) {
                other.value[place] = __shfl_xor_sync(FULL_WARP, best.value[place], offset);
                other.index[place] = __shfl_xor_sync(FULL_WARP, best.index[place], offset);
            }
            UNROLL for (int place = 0; place < 3; place++) offer(best, other.value[place], other.index[place]);
        }
        if (lane != 0) continue;
        energy[b] = (float)(-(double)temperature * hot);
        UNROLL for (int place = 0; place < 3; place++) {
            types[(size_t)b * 3 + place] = best.index[place];
            probabilities[(size_t)b * 3 + place] = best.index[place] < 0 ? 0.0f : (float)exp(row[best.index[place]] - normaliser);
        }
    }
}
EXPORT_KERNEL(prediction)
