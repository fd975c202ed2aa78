// favor_tensor_merge.cu: FAVOR+ on tensor cores, what stands between the passes over tokens: the projection in halves, splits merged in float32 in their
// order, and the operands S' and dS that the passes read, in halves.
// Math     P' = c log2(e) P
//          keys     M = max over heads, splits and groups, ties to the lowest (token, feature, head)     A = sum_splits 2^(r - M) part     s likewise
//                   v0 = sum v / n     S' = A - s v0^T     z = s + eps n
//          queries  dS_j = (sum_splits 2^r_j part_j + eps sum dO / den) / n     dz_j = -(sum_splits 2^r_j part_j + eps sum dev / den) / n     den = phi_q . z / n
//          halves   row j of S [FEATURE_ROWS, 72]: factor S_j 2^a, then factor z_j 2^b in two halves; a, b bring the head's largest near 2^target. Padded z is
//                   factor z_j 2^a. Totals are sums over j of factor S_j and factor z_j.
// Shapes   parts as favor_tensor_sums.cu leaves them     S', dS [B, H, FEATURES, 64]   z, dz [B, H, FEATURES]   v0 [B, H, 64]   M [B]   place [B, 4]   guard [H] or null
//          halves [B, H, FEATURE_ROWS, 72]   padded z [B, H, FEATURE_ROWS]   totals [B, H, 64]   total of z, 2^-a, 2^-b [B, H, 3]
// Launch   256 threads, any one-dimensional grid; at most 4 KB static shared memory
// Traffic  merges read each part once and write 68 KB a head (266 features); halves read 136 KB and write 39 KB a head
// Work     2 FLOP a number read: bound by memory bandwidth
// Access   all outputs Write, but guard: bits are added (1 keys, 2 values not finite)
#include "favor_tensor.cuh"

#define MERGE_THREADS 256

template <class H> __device__ __forceinline__ void favor_projection(H* __restrict__ scaled, const float* __restrict__ P, float scale)
{
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < FEATURE_ROWS * HEAD_WIDTH; i += gridDim.x * blockDim.x)
        scaled[i] = rounded<H>(i < FEATURES * HEAD_WIDTH ? scale * P[i] : 0.0f);
}

// The largest value and the lowest rank among equals, over the block; every thread gets them. NaN loses.
__device__ __forceinline__ void block_best(float& value, long long& rank, float* values, long long* ranks)
{
    values[threadIdx.x] = value;
    ranks[threadIdx.x] = rank;
    __syncthreads();
    for (int half = MERGE_THREADS / 2; half > 0; half /= 2) {
        if ((int)threadIdx.x < half) {
            const float other = values[threadIdx.x + half];
            const long long at = ranks[threadIdx.x + half];
            if (other > values[threadIdx.x] || (other == values[threadIdx.x] && at < ranks[threadIdx.x])) {
                values[threadIdx.x] = other;
                ranks[threadIdx.x] = at;
            }
        }
        __syncthreads();
    }
    value = values[0];
    rank = ranks[0];
    __syncthreads();
}

extern "C" __global__ __launch_bounds__(MERGE_THREADS)
void favor_tensor_merge_keys(float* __restrict__ S, float* __restrict__ z, float* __restrict__ v0, float* __restrict__ M, int* __restrict__ place, int* guard,
                             const float* __restrict__ sums, const float* __restrict__ extra, const float* __restrict__ reference, const float* __restrict__ maximum,
                             const int* __restrict__ maximumAt, int cells, int heads, int tokens, int groups)
{
    __shared__ float values[MERGE_THREADS], mean[HEAD_WIDTH];
    __shared__ long long ranks[MERGE_THREADS];
    const int splits = (tokens + SPLIT_TOKENS - 1) / SPLIT_TOKENS, column = threadIdx.x % HEAD_WIDTH;
    const int works = cells * heads * FEATURE_TILES;
    for (int work = blockIdx.x; work < works; work += gridDim.x) {
        const int tile = work % FEATURE_TILES, head = work / FEATURE_TILES % heads;
        const size_t unit = work / FEATURE_TILES, cell = work / FEATURE_TILES / heads, parts = unit * splits * FEATURE_ROWS;
        float top = -INFINITY_F;
        long long rank = 0x7fffffffffffffffLL;
        const int candidates = heads * splits * groups;
        for (int i = threadIdx.x; i < candidates; i += MERGE_THREADS) {
            const float value = maximum[cell * candidates + i];
            const long long at = (long long)maximumAt[cell * candidates + i] * heads + i / (splits * groups);
            if (value > top || (value == top && at < rank)) { top = value; rank = at; }
        }
        block_best(top, rank, values, ranks);
        if (threadIdx.x < HEAD_WIDTH) {
            float total = 0.0f;
            for (int split = 0; split < splits; split++) total += sums[(parts + (size_t)split * FEATURE_ROWS + FEATURES) * HEAD_WIDTH + threadIdx.x];
            mean[threadIdx.x] = total / tokens;
        }
        __syncthreads();
        int bad = fabsf(mean[column]) < INFINITY_F ? 0 : 2;
        for (int local = threadIdx.x / HEAD_WIDTH; local < 16; local += MERGE_THREADS / HEAD_WIDTH) {
            const int feature = tile * 16 + local;
            if (feature >= FEATURES) continue;
            float A = 0.0f, s = 0.0f;
            for (int split = 0; split < splits; split++) {
                const size_t at = parts + (size_t)split * FEATURE_ROWS + feature;
                const float scale = ex2(reference[at] - top);
                A += scale * sums[at * HEAD_WIDTH + column];
                s += scale * extra[at * 2];
            }
            S[(unit * FEATURES + feature) * HEAD_WIDTH + column] = A - s * mean[column];
            if (column == 0) z[unit * FEATURES + feature] = s + FEATURE_EPSILON * tokens;
            if (!(fabsf(s) < INFINITY_F)) bad |= 1;
        }
        if (bad && guard) atomicOr(guard + head, bad);
        if (tile == 0 && threadIdx.x < HEAD_WIDTH) v0[unit * HEAD_WIDTH + threadIdx.x] = mean[threadIdx.x];
        if (tile == 0 && head == 0 && threadIdx.x == 0) {
            const int found = top > -INFINITY_F ? (int)(rank / heads) : 0;
            M[cell] = top * LN2;
            place[cell * 4] = (int)cell;
            place[cell * 4 + 1] = found / FEATURE_ROWS;
            place[cell * 4 + 2] = found % FEATURE_ROWS;
            place[cell * 4 + 3] = top > -INFINITY_F ? (int)(rank % heads) : 0;
        }
        __syncthreads();                                                  // mean has been read
    }
}
EXPORT_KERNEL(favor_tensor_merge_keys)

extern "C" __global__ __launch_bounds__(MERGE_THREADS)
void favor_tensor_merge_queries(float* __restrict__ dS, float* __restrict__ dz, const float* __restrict__ sums, const float* __restrict__ extra,
                                const float* __restrict__ reference, int cells, int heads, int tokens)
{
    const int splits = (tokens + SPLIT_TOKENS - 1) / SPLIT_TOKENS, column = threadIdx.x % HEAD_WIDTH;
    const float inverse = 1.0f / tokens;
    const int works = cells * heads * FEATURE_TILES;
    for (int work = blockIdx.x; work < works; work += gridDim.x) {
        const int tile = work % FEATURE_TILES;
        const size_t unit = work / FEATURE_TILES, parts = unit * splits * FEATURE_ROWS;
        float own = 0.0f, ownExtra = 0.0f;                                // sums of dO / den and of dev / den
        for (int split = 0; split < splits; split++) {
            const size_t at = parts + (size_t)split * FEATURE_ROWS + FEATURES;
            const float scale = ex2(reference[at]);
            own += scale * sums[at * HEAD_WIDTH + column];
            ownExtra += scale * (extra[at * 2] + extra[at * 2 + 1] / LOW_PART);
        }
        for (int local = threadIdx.x / HEAD_WIDTH; local < 16; local += MERGE_THREADS / HEAD_WIDTH) {
            const int feature = tile * 16 + local;
            if (feature >= FEATURES) continue;
            float A = 0.0f, s = 0.0f;
            for (int split = 0; split < splits; split++) {
                const size_t at = parts + (size_t)split * FEATURE_ROWS + feature;
                const float scale = ex2(reference[at]);
                A += scale * sums[at * HEAD_WIDTH + column];
                s += scale * (extra[at * 2] + extra[at * 2 + 1] / LOW_PART);
            }
            dS[(unit * FEATURES + feature) * HEAD_WIDTH + column] = (A + FEATURE_EPSILON * own) * inverse;
            if (column == 0) dz[unit * FEATURES + feature] = -(s + FEATURE_EPSILON * ownExtra) * inverse;
        }
    }
}
EXPORT_KERNEL(favor_tensor_merge_queries)

template <class H> __device__ __forceinline__ void favor_halves(
    H* __restrict__ halves, float* __restrict__ paddedZ, float* __restrict__ totals, float* __restrict__ scalars,
    const float* __restrict__ S, const float* __restrict__ z, int units, float factor, int target)
{
    __shared__ float columns[MERGE_THREADS / HEAD_WIDTH][HEAD_WIDTH], tops[MERGE_THREADS / WARP_SIZE], topsZ[MERGE_THREADS / WARP_SIZE], board[MERGE_THREADS / WARP_SIZE];
    const int tid = threadIdx.x, column = tid % HEAD_WIDTH, first = tid / HEAD_WIDTH;
    for (int unit = blockIdx.x; unit < units; unit += gridDim.x) {
        const float* from = S + (size_t)unit * FEATURES * HEAD_WIDTH;
        const float* fromZ = z + (size_t)unit * FEATURES;
        float total = 0.0f, totalZ = 0.0f, high = 0.0f, highZ = 0.0f;
        for (int j = first; j < FEATURES; j += MERGE_THREADS / HEAD_WIDTH) {
            const float x = factor * from[(size_t)j * HEAD_WIDTH + column];
            total += x;
            high = fmaxf(high, fabsf(x));
        }
        for (int j = tid; j < FEATURES; j += MERGE_THREADS) {
            totalZ += factor * fromZ[j];
            highZ = fmaxf(highZ, fabsf(factor * fromZ[j]));
        }
        columns[first][column] = total;
        high = warp_max(high);
        highZ = warp_max(highZ);
        if (tid % WARP_SIZE == 0) {
            tops[tid / WARP_SIZE] = high;
            topsZ[tid / WARP_SIZE] = highZ;
        }
        totalZ = block_sum(totalZ, board);
        UNROLL for (int w = 0; w < MERGE_THREADS / WARP_SIZE; w++) {
            high = fmaxf(high, tops[w]);
            highZ = fmaxf(highZ, topsZ[w]);
        }
        const int up = target - leading_exponent(high), upZ = target - leading_exponent(highZ);
        if (tid < HEAD_WIDTH) {
            float sum = 0.0f;
            UNROLL for (int i = 0; i < MERGE_THREADS / HEAD_WIDTH; i++) sum += columns[i][tid];
            totals[(size_t)unit * HEAD_WIDTH + tid] = sum;
        }
        if (tid == 0) {
            scalars[(size_t)unit * 3] = totalZ;
            scalars[(size_t)unit * 3 + 1] = power_of_two(-up);
            scalars[(size_t)unit * 3 + 2] = power_of_two(-upZ);
        }
        const float scale = factor * power_of_two(up), scaleZ = factor * power_of_two(upZ);
        H* to = halves + (size_t)unit * FEATURE_ROWS * ROW_HALVES;
        for (int j = first; j < FEATURE_ROWS; j += MERGE_THREADS / HEAD_WIDTH)
            to[j * ROW_HALVES + column] = rounded<H>(j < FEATURES ? scale * from[(size_t)j * HEAD_WIDTH + column] : 0.0f);
        for (int j = tid; j < FEATURE_ROWS; j += MERGE_THREADS) {
            const float x = j < FEATURES ? fromZ[j] : 0.0f, high16 = to_float(rounded<H>(scaleZ * x));
            unsigned* more = (unsigned*)(to + j * ROW_HALVES + HEAD_WIDTH);
            more[0] = pack2<H>(high16, (scaleZ * x - high16) * LOW_PART);
            UNROLL for (int i = 1; i < (ROW_HALVES - HEAD_WIDTH) / 2; i++) more[i] = 0u;
            paddedZ[(size_t)unit * FEATURE_ROWS + j] = scale * x;
        }
        __syncthreads();                                                  // columns and tops have been read
    }
}

#define INSTANCE(H) \
    extern "C" __global__ __launch_bounds__(256) void favor_tensor_projection_##H(H* __restrict__ scaled, const float* __restrict__ P, float scale) { favor_projection<H>(scaled, P, scale); } \
    EXPORT_KERNEL(favor_tensor_projection_##H) \
    extern "C" __global__ __launch_bounds__(MERGE_THREADS) \
    void favor_tensor_halves_##H(H* __restrict__ halves, float* __restrict__ paddedZ, float* __restrict__ totals, float* __restrict__ scalars, \
                                 const float* __restrict__ S, const float* __restrict__ z, int units, float factor, int target) \
    { favor_halves<H>(halves, paddedZ, totals, scalars, S, z, units, factor, target); } \
    EXPORT_KERNEL(favor_tensor_halves_##H)
INSTANCE(f16)
#if BFLOAT16_PRODUCTS
INSTANCE(bf16)
#endif
#undef INSTANCE
