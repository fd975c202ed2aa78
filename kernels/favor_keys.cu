// favor_keys.cu: the sums over keys of FAVOR+ attention without tensor cores, in the centred form.     Choromanski et al. 2021, arXiv:2009.14794
// Math     d = c P k   h = c^2 |k|^2 / 2   u = exp(d - h - r)   A = sum u (v - a)^T   s = sum u   a: a gauge near the split's mean   r: the feature's running reference
//          v0 = mean of v   S' = A - s (v0 - a)^T, scaled to M later (favor_totals.cu)
// Shapes   k, v [B T, H D] float32, float16 or bfloat16   projection [M, D]   sums S' [U, M, D]   normalisers s [U, M]   means v0 [U, D]   U = B H
//          parts [units, splits, PART_FLOATS] of a wave of units   references r, tops: largest d, places: its token [U, M]
//          With -D VALUES=0 there are no values: only s, r, top and place (gene attention)
// Launch   any one-dimensional grid; key_sums KEY_ROWS threads (M = 266: 96, a third of the features), merge 128
// Traffic  k and v once from memory; for each group of features again from L2, and P for every 32 tokens: 20 FLOP a byte of L2; parts 4.1 M D bytes a split
// Work     4 M D FLOP a token and head, features padded to 32s (8 % for M = 266): bound by float32 arithmetic. Predicted, not measured: half of the float32 peak,
//          the rest goes to shared loads (a 16-byte load a thread serves 10.7 and 16 multiplications), barriers and exponentials
// Access   parts, sums, normalisers, means, references, tops, places Write
// Every order of summation is a function of the shapes: splits of SPLIT_TOKENS tokens, tiles of 32, splits merged in order.
#include "favor_tiles.cuh"

#define PART_SUMS (4 * FEATURES + 2 * HEAD_WIDTH)
#define PART_FLOATS (PART_SUMS + FEATURES * HEAD_WIDTH)

// A split's sums over its keys: s, r, top, place [M] each; then, where there are values, a, sum of v - a [D] each and A [M, D].
extern "C" __global__ BOUNDS(KEY_ROWS)
void favor_key_sums(float* __restrict__ parts, const element* __restrict__ k, const element* __restrict__ v, const float* __restrict__ projection,
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
                    const element* x = v + base + first * row + column0 + c;
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
                n, [&](int i, int d) { return to_float(k[base + (t0 + i) * row + d]); },
                min(KEY_ROWS, FEATURES - group * KEY_ROWS), [&](int r, int d) { return scale * projection[(group * KEY_ROWS + r) * HEAD_WIDTH + d]; });
            keep(board, t);
            if (tid < INNER) board.inner[tid] = half_scale * squares;
            __syncthreads();
            if (VALUES) fetch_values(board, n, column0, [&](int i, int column) { return to_float(v[base + (t0 + i) * row + column]) - gauge[column - column0]; });
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
            if (group == 0) add_columns(totals, board);
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
EXPORT_KERNEL(favor_key_sums)

// Merges the splits of a head in order, at each feature's largest reference: S' and s, not yet scaled to M, and where each feature was largest.
extern "C" __global__ __launch_bounds__(128, 8)
void favor_merge_keys(float* __restrict__ sums, float* __restrict__ normalisers, float* __restrict__ means, float* __restrict__ references,
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
EXPORT_KERNEL(favor_merge_keys)
