// favor_keys.cu: the sums over keys of FAVOR+ attention without tensor cores, in the centred form.     Choromanski et al. 2021, arXiv:2009.14794
// Math     d = c P k   h = c^2 |k|^2 / 2   u = exp(d - h - r)   A = sum u (v - a)^T   s = sum u   a: a gauge near the split's mean   r: the feature's running reference
//          M = max d over the scope   v0 = mean of v   S' = exp(r - M) (A - s (v0 - a)^T)   z = exp(r - M) s + eps n
// Shapes   k, v [B T, H D] float32, float16 or bfloat16   projection [M, D]   sums S' [U, M, D]   normalisers z [U, M]   means v0 [U, D]   U = B H
//          parts [units, splits, PART_FLOATS] of a wave of units   references, tops, places [U, M]   totals [U, D + 1]: sums over the features of S' and z
//          maximum [slots]   maximum_at [slots, 4]: cell, token, feature, head
// Launch   any one-dimensional grid; key_sums KEY_ROWS threads (M = 266: 96, a third of the features), merge 128, the others 256
// Traffic  k and v once from memory; for each group of features again from L2, and P for every 32 tokens: 20 FLOP a byte of L2; parts 4.1 M D bytes a split
// Work     4 M D FLOP a token and head, features padded to 32s (8 % for M = 266): bound by float32 arithmetic. Predicted, not measured: half of the float32 peak,
//          the rest goes to shared loads (a 16-byte load a thread serves 10.7 and 16 multiplications), barriers and exponentials
// Access   parts, references, tops, places, means, maximum, maximum_at, totals Write   sums, normalisers Write (merge), Update (scale)
// Every order of summation is a function of the shapes: splits of SPLIT_TOKENS tokens, tiles of 32, splits merged in order.
#include "favor_tiles.cuh"

#define PART_SUMS (4 * FEATURES + 2 * HEAD_WIDTH)
#define COLUMNS_OF_THREAD ((VALUE_COLUMNS + KEY_ROWS - 1) / KEY_ROWS)
#define PART_FLOATS (PART_SUMS + FEATURES * HEAD_WIDTH)

// A split's sums over its keys: s, r, top, place [M] each; then, where there are values, a, sum of v - a [D] each and A [M, D].
template <class T, bool VALUES>
__device__ __forceinline__ void key_sums(float* __restrict__ parts, const T* __restrict__ k, const T* __restrict__ v, const float* __restrict__ projection,
    int first_unit, int units, int heads, int tokens, float scale, float half_scale)
{
    __shared__ Board<KEY_ROWS> board;
    __shared__ float gauge[VALUE_COLUMNS];
    const int splits = (tokens + SPLIT_TOKENS - 1) / SPLIT_TOKENS, chunks = VALUES ? VALUE_CHUNKS : 1, tid = threadIdx.x;
    const size_t row = (size_t)heads * HEAD_WIDTH;
    for (long long item = blockIdx.x; item < (long long)units * splits * chunks * KEY_GROUPS; item += gridDim.x) {
        const int group = (int)(item % KEY_GROUPS), chunk = (int)(item / KEY_GROUPS % chunks);
        const int split = (int)(item / (KEY_GROUPS * chunks) % splits), unit = (int)(item / (KEY_GROUPS * chunks) / splits);
        const int first = split * SPLIT_TOKENS, end = min(first + SPLIT_TOKENS, tokens), column0 = chunk * VALUE_COLUMNS;
        const size_t base = head_at(first_unit + unit, heads, tokens);
        const int feature = group * KEY_ROWS + tid;

        if (VALUES) {
            // About the mean of the first tokens, and exactly the value where all are equal. Any gauge gives the same S'; this one keeps A small.
            for (int c = tid; c < VALUE_COLUMNS; c += KEY_ROWS) {
                float distance = 0.f, anchor = 0.f;
                const int n = min(64, end - first);
                if (column0 + c < HEAD_WIDTH) {
                    const T* x = v + base + first * row + column0 + c;
                    anchor = to_float(x[0]);
                    for (int t = 0; t < n; t++) distance += to_float(x[t * row]) - anchor;
                }
                gauge[c] = anchor + distance / n;
            }
        }
        float acc[8][COLUMNS], t[4][8], totals[COLUMNS_OF_THREAD] = {};
        clear<KEY_ROWS>(acc);
        float reference = -INFINITY_F, top = -INFINITY_F, sum = 0.f;
        int place = 0;
        for (int t0 = first; t0 < end; t0 += INNER) {
            const int n = min(INNER, end - t0);
            const float squares = multiply<KEY_ROWS, SQUARES_OF_INNER>(t, board,
                [&](int i, int d) { return i < n ? to_float(k[base + (t0 + i) * row + d]) : 0.f; },
                [&](int r, int d) { const int j = group * KEY_ROWS + r; return j < FEATURES ? scale * projection[j * HEAD_WIDTH + d] : 0.f; });
            keep(board, t);
            if (tid < INNER) board.inner[tid] = half_scale * squares;
            __syncthreads();
            if (VALUES) fetch_values(board, [&](int i, int c) { return i < n && column0 + c < HEAD_WIDTH ? to_float(v[base + (t0 + i) * row + column0 + c]) - gauge[c] : 0.f; });
            float high = reference;
            UNROLL_BY(8) for (int i = 0; i < INNER; i++) {
                const float d = board.tile[tile_at<KEY_ROWS>(i, tid)];
                if (i < n && d > top) { top = d; place = t0 + i; }
                if (i < n) high = fmaxf(high, d - board.inner[i]);
            }
            const float factor = high > reference ? exponential(reference - high) : 1.f;
            reference = high;
            sum *= factor;
            UNROLL_BY(8) for (int i = 0; i < INNER; i++) {
                float* d = board.tile + tile_at<KEY_ROWS>(i, tid);
                const float u = i < n && feature < FEATURES ? exponential(*d - (board.inner[i] + reference)) : 0.f;
                sum += u;
                *d = u;
            }
            if (!VALUES) continue;
            board.rows[tid] = factor;
            __syncthreads();
            rescale(acc, board);
            accumulate(acc, board);
            if (group == 0) UNROLL for (int x = 0; x < COLUMNS_OF_THREAD; x++) {
                const int c = x * KEY_ROWS + tid;
                if (c < VALUE_COLUMNS) UNROLL_BY(8) for (int i = 0; i < INNER; i++) totals[x] += board.operands[i * VALUE_COLUMNS + c];
            }
        }
        float* part = parts + ((size_t)unit * splits + split) * (VALUES ? PART_FLOATS : 4 * FEATURES);
        if (feature < FEATURES && chunk == 0) {
            part[feature] = sum;
            part[FEATURES + feature] = reference;
            part[2 * FEATURES + feature] = top;
            part[3 * FEATURES + feature] = __int_as_float(place);
        }
        if (VALUES) {
            if (group == 0) UNROLL for (int x = 0; x < COLUMNS_OF_THREAD; x++) {
                const int c = x * KEY_ROWS + tid;
                if (c >= VALUE_COLUMNS || column0 + c >= HEAD_WIDTH) continue;
                part[4 * FEATURES + column0 + c] = gauge[c];
                part[4 * FEATURES + HEAD_WIDTH + column0 + c] = totals[x];
            }
            UNROLL for (int r = 0; r < 8; r++) UNROLL for (int c = 0; c < COLUMNS; c++) {
                const int j = group * KEY_ROWS + row_of<KEY_ROWS>(r), column = column0 + column_of(c);
                if (j < FEATURES && column < HEAD_WIDTH) part[PART_SUMS + j * HEAD_WIDTH + column] = acc[r][c];
            }
        }
        __syncthreads();
    }
}

// Merges the splits of a head in order, at each feature's largest reference: S' and s, not yet scaled to M, and where each feature was largest.
template <bool VALUES>
__device__ __forceinline__ void merge_keys(float* __restrict__ sums, float* __restrict__ normalisers, float* __restrict__ means, float* __restrict__ references,
    float* __restrict__ tops, int* __restrict__ places, const float* __restrict__ parts, int first_unit, int units, int tokens)
{
    __shared__ float mean[HEAD_WIDTH];
    const int splits = (tokens + SPLIT_TOKENS - 1) / SPLIT_TOKENS, chunks = (FEATURES + MERGED_FEATURES - 1) / MERGED_FEATURES;
    const int stride = VALUES ? PART_FLOATS : 4 * FEATURES;
    for (long long item = blockIdx.x; item < (long long)units * chunks; item += gridDim.x) {
        const int first = (int)(item % chunks) * MERGED_FEATURES, count = min(MERGED_FEATURES, FEATURES - first), unit = (int)(item / chunks);
        const size_t at = (size_t)first_unit + unit;
        const float* part = parts + (size_t)unit * splits * stride;
        if (VALUES) {
            // The mean as a distance from the first gauge: constant values come out exactly, a common offset costs no digits.
            for (int d = threadIdx.x; d < HEAD_WIDTH; d += blockDim.x) {
                const float* gauges = part + 4 * FEATURES + d;
                float distance = 0.f;
                for (int s = 0; s < splits; s++) {
                    const float* gauge = gauges + (size_t)s * stride;
                    distance += gauge[HEAD_WIDTH] + min(SPLIT_TOKENS, tokens - s * SPLIT_TOKENS) * (gauge[0] - gauges[0]);
                }
                mean[d] = gauges[0] + distance / tokens;
                if (first == 0) means[at * HEAD_WIDTH + d] = mean[d];
            }
            __syncthreads();
        }
        const int width = VALUES ? HEAD_WIDTH : 1;
        for (int e = threadIdx.x; e < count * width; e += blockDim.x) {
            const int j = first + e / width, d = e % width;
            float reference = -INFINITY_F, top = -INFINITY_F, total = 0.f, sum = 0.f;
            int place = 0;
            for (int s = 0; s < splits; s++) {
                const float* p = part + (size_t)s * stride + j;
                reference = fmaxf(reference, p[FEATURES]);
                if (!(p[2 * FEATURES] > top)) continue;
                top = p[2 * FEATURES];
                place = __float_as_int(p[3 * FEATURES]);
            }
            for (int s = 0; s < splits; s++) {
                const float* p = part + (size_t)s * stride;
                const float factor = exponential(p[FEATURES + j] - reference), weight = factor * p[j];
                total += weight;
                if (VALUES) sum = fmaf(-weight, mean[d] - p[4 * FEATURES + d], fmaf(factor, p[PART_SUMS + j * HEAD_WIDTH + d], sum));
            }
            if (VALUES) sums[(at * FEATURES + j) * HEAD_WIDTH + d] = sum;
            if (d > 0) continue;
            normalisers[at * FEATURES + j] = total;
            references[at * FEATURES + j] = reference;
            tops[at * FEATURES + j] = top;
            places[at * FEATURES + j] = place;
        }
        __syncthreads();
    }
}

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
template <bool SCALE, bool VALUES>
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

#define INSTANCE(T) \
    extern "C" __global__ BOUNDS(KEY_ROWS) void favor_key_sums_##T(float* __restrict__ parts, const T* __restrict__ k, const T* __restrict__ v, \
        const float* __restrict__ projection, int first_unit, int units, int heads, int tokens, float scale, float half_scale) \
    { key_sums<T, true>(parts, k, v, projection, first_unit, units, heads, tokens, scale, half_scale); } \
    EXPORT_KERNEL(favor_key_sums_##T)
INSTANCE(f32)
INSTANCE(f16)
INSTANCE(bf16)
#undef INSTANCE

extern "C" __global__ __launch_bounds__(128, 8)
void favor_merge_keys(float* __restrict__ sums, float* __restrict__ normalisers, float* __restrict__ means, float* __restrict__ references,
    float* __restrict__ tops, int* __restrict__ places, const float* __restrict__ parts, int first_unit, int units, int tokens)
{
    merge_keys<true>(sums, normalisers, means, references, tops, places, parts, first_unit, units, tokens);
}
EXPORT_KERNEL(favor_merge_keys)

extern "C" __global__ __launch_bounds__(256)
void favor_scale_sums(float* __restrict__ totals, float* __restrict__ sums, float* __restrict__ normalisers, const float* __restrict__ references,
    const float* __restrict__ maximum, int units, int units_of_slot, int tokens)
{
    totals_of<true, true>(totals, sums, normalisers, references, maximum, units, units_of_slot, tokens);
}
EXPORT_KERNEL(favor_scale_sums)
