// favor_totals.cu: the key maximum of FAVOR+ attention, the sums over keys scaled to it, and what every token needs of them.
// Math     M = max over the scope of c P k; ties go to the lowest cell, token, feature, head   S' = exp(r - M) S'   z = exp(r - M) s + eps n
// Shapes   tops, places, references r [U, M]   maximum M [slots]   maximum_at [slots, 4]: cell, token, feature, head   sums S' [U, M, D]   normalisers [U, M]
//          totals [U, D + 1]: the sums over the features of S' and z   U = B H
// Launch   any one-dimensional grid of 256 threads; key_maximum a block a slot, the others a block a head of a cell
// Traffic  reads and writes S' once: 8 M D bytes a head   Work none to speak of: bound by memory bandwidth
// Access   maximum, maximum_at, totals Write   sums, normalisers Update (scale_sums), Read (total_sums)
#include "favor_tiles.cuh"

// M of each slot (a cell, or everything) and its cell, token, feature, head; ties go to the lowest in that order.
extern "C" __global__ __launch_bounds__(256)
void favor_key_maximum(float* __restrict__ maximum, int* __restrict__ maximum_at, const float* __restrict__ tops, const int* __restrict__ places,
    int slots, int cells_of_slot, int heads)
{
    __shared__ float board[256 / WARP_SIZE];
    const int count = cells_of_slot * heads * FEATURES, tid = threadIdx.x;
    for (int slot = blockIdx.x; slot < slots; slot += gridDim.x) {
        const size_t base = (size_t)slot * count;
        float top = -INFINITY_F;
        for (int e = tid; e < count; e += blockDim.x) top = fmaxf(top, tops[base + e]);
        top = block_max(top, board);
        // The lowest cell, then token, then feature, then head among those that reach the top: one number after another, the others by a filter.
        int at[4] = {0, 0, 0, 0};
        for (int level = 0; level < 4; level++) {
            int lowest = 0x7fffffff;
            for (int e = tid; e < count; e += blockDim.x) {
                if (!(tops[base + e] == top)) continue;
                const int found[4] = {slot * cells_of_slot + e / (heads * FEATURES), places[base + e], e % FEATURES, e / FEATURES % heads};
                bool fits = true;
                for (int l = 0; l < level; l++) fits = fits && found[l] == at[l];
                if (fits) lowest = min(lowest, found[level]);
            }
            at[level] = block_min(lowest, (int*)board);
        }
        if (tid == 0) {
            maximum[slot] = top;
            for (int l = 0; l < 4; l++) maximum_at[4 * slot + l] = at[l];
        }
    }
}
EXPORT_KERNEL(favor_key_maximum)

// With SCALE: from each feature's reference to M, S' and z = s + eps n. Then the sums over the features that every token needs.
#define TOTAL_COLUMNS (HEAD_WIDTH < 256 ? HEAD_WIDTH : 256)
#define TOTAL_GROUPS (256 / TOTAL_COLUMNS)
template <bool SCALE>
__device__ __forceinline__ void totals_of(float* __restrict__ totals, float* __restrict__ sums, float* __restrict__ normalisers,
    const float* __restrict__ references, const float* __restrict__ maximum, int units, int units_of_slot, int tokens)
{
    __shared__ float board[256 / WARP_SIZE];
    __shared__ float shares[256];
    const int tid = threadIdx.x, group = tid / TOTAL_COLUMNS;
    for (int unit = blockIdx.x; unit < units; unit += gridDim.x) {
        const float m = SCALE ? maximum[unit / units_of_slot] : 0.f;
        const float* reference = references + (size_t)unit * FEATURES;
        float* z = normalisers + (size_t)unit * FEATURES;
        float share = 0.f;
        for (int j = tid; j < FEATURES; j += blockDim.x) {
            if (SCALE) z[j] = fmaf(exponential(reference[j] - m), z[j], FEATURE_MAP_EPSILON * tokens);
            share += z[j];
        }
        share = block_sum(share, board);
        if (tid == 0) totals[(size_t)unit * (HEAD_WIDTH + 1) + HEAD_WIDTH] = share;
        for (int d0 = 0; VALUES && d0 < HEAD_WIDTH; d0 += TOTAL_COLUMNS) {
            const int d = d0 + tid % TOTAL_COLUMNS;
            float total = 0.f;
            if (group < TOTAL_GROUPS && d < HEAD_WIDTH) {
                for (int j = group; j < FEATURES; j += TOTAL_GROUPS) {
                    float* x = sums + ((size_t)unit * FEATURES + j) * HEAD_WIDTH + d;
                    if (SCALE) *x *= exponential(reference[j] - m);
                    total += *x;
                }
            }
            shares[tid] = total;
            __syncthreads();
            if (group == 0 && d < HEAD_WIDTH) {
                for (int g = 1; g < TOTAL_GROUPS; g++) total += shares[g * TOTAL_COLUMNS + tid];
                totals[(size_t)unit * (HEAD_WIDTH + 1) + d] = total;
            }
            __syncthreads();
        }
    }
}

extern "C" __global__ __launch_bounds__(256)
void favor_scale_sums(float* __restrict__ totals, float* __restrict__ sums, float* __restrict__ normalisers, const float* __restrict__ references,
    const float* __restrict__ maximum, int units, int units_of_slot, int tokens)
{
    totals_of<true>(totals, sums, normalisers, references, maximum, units, units_of_slot, tokens);
}
EXPORT_KERNEL(favor_scale_sums)

extern "C" __global__ __launch_bounds__(256)
void favor_total_sums(float* __restrict__ totals, const float* __restrict__ sums, const float* __restrict__ normalisers, int units)
{
    totals_of<false>(totals, (float*)sums, (float*)normalisers, nullptr, nullptr, units, 1, 0);
}
EXPORT_KERNEL(favor_total_sums)
