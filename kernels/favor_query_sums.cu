// favor_query_sums.cu: dS and dz of FAVOR+ attention without tensor cores: the sums over queries of the backward pass, with recomputed features.
// Math     w = exp(c P q - h - max_j)   dnum = dO / den   dS = sum (w + eps) dnum^T   dz = sum (w + eps) dden
// Shapes   q, dO [B T, H D] float32, float16 or bfloat16   statistics [U, 3, T]: h + max_j, 1 / den, dden   projection [M, D]   U = B H
//          parts [units, splits, QUERY_PART_FLOATS] of a wave of units   dsums dS [U, M, D]   dnormalisers dz [U, M]
// Launch   any one-dimensional grid; sums KEY_ROWS threads, merge 128
// Traffic  q and dO once from memory, again from L2 for each group of features
// Work     4 M D FLOP a token and head, features padded to 32s: bound by float32 arithmetic
// Access   parts, dsums, dnormalisers Write
// Order of summation as in favor_keys.cu; eps times the sums of dnum and dden is added once, after the splits.
#include "favor_tiles.cuh"

#define QUERY_PART_SUMS (FEATURES + HEAD_WIDTH + 1)
#define QUERY_PART_FLOATS (QUERY_PART_SUMS + FEATURES * HEAD_WIDTH)

// A split's share: sum of w dden [M], sum of dnum [D], sum of dden, sum of w dnum^T [M, D].
extern "C" __global__ BOUNDS(KEY_ROWS)
void favor_query_sums(float* __restrict__ parts, const element* __restrict__ dout, const element* __restrict__ q, const float* __restrict__ statistics,
    const float* __restrict__ projection, int first_unit, int units, int heads, int tokens, float scale)
{
    __shared__ Board<KEY_ROWS> board;
    __shared__ float inverses[INNER], changes[INNER];
    const int splits = (tokens + SPLIT_TOKENS - 1) / SPLIT_TOKENS, tid = threadIdx.x;
    const size_t row = (size_t)heads * HEAD_WIDTH;
    for (long long item = blockIdx.x; item < (long long)units * splits * VALUE_CHUNKS * KEY_GROUPS; item += gridDim.x) {
        const int group = (int)(item % KEY_GROUPS), chunk = (int)(item / KEY_GROUPS % VALUE_CHUNKS);
        const int split = (int)(item / (KEY_GROUPS * VALUE_CHUNKS) % splits), unit = (int)(item / (KEY_GROUPS * VALUE_CHUNKS) / splits);
        const int first = split * SPLIT_TOKENS, end = min(first + SPLIT_TOKENS, tokens), column0 = chunk * VALUE_COLUMNS, feature = group * KEY_ROWS + tid;
        const size_t base = head_at(first_unit + unit, heads, tokens);
        const float* statistic = statistics + (size_t)(first_unit + unit) * 3 * tokens;
        float acc[8][COLUMNS], t[4][8], totals[COLUMNS_OF_THREAD] = {};
        clear<KEY_ROWS>(acc);
        float normaliser = 0.f, change = 0.f;
        for (int t0 = first; t0 < end; t0 += INNER) {
            const int n = min(INNER, end - t0);
            multiply<KEY_ROWS, NO_SQUARES>(t, board,
                n, [&](int i, int d) { return to_float(q[base + (t0 + i) * row + d]); },
                min(KEY_ROWS, FEATURES - group * KEY_ROWS), [&](int r, int d) { return scale * projection[(group * KEY_ROWS + r) * HEAD_WIDTH + d]; });
            keep(board, t);
            if (tid < INNER) {
                board.inner[tid] = tid < n ? statistic[t0 + tid] : 0.f;
                inverses[tid] = tid < n ? statistic[tokens + t0 + tid] : 0.f;
                changes[tid] = tid < n ? statistic[2 * (size_t)tokens + t0 + tid] : 0.f;
            }
            __syncthreads();
            fetch_values(board, n, column0, [&](int i, int column) { return to_float(dout[base + (t0 + i) * row + column]) * inverses[i]; });
            UNROLL_BY(8) for (int i = 0; i < INNER; i++) {
                float* d = board.tile + tile_at<KEY_ROWS>(i, tid);
                const float w = i < n && feature < FEATURES ? exponential(*d - board.inner[i]) : 0.f;
                normaliser = fmaf(w, changes[i], normaliser);
                change += changes[i];
                *d = w;
            }
            __syncthreads();
            accumulate(acc, board);
            if (group == 0) add_columns(totals, board);
        }
        float* part = parts + ((size_t)unit * splits + split) * QUERY_PART_FLOATS;
        if (chunk == 0 && feature < FEATURES) part[feature] = normaliser;
        if (group == 0) {
            if (chunk == 0 && tid == 0) part[FEATURES + HEAD_WIDTH] = change;
            UNROLL for (int x = 0; x < COLUMNS_OF_THREAD; x++) {
                const int c = x * KEY_ROWS + tid;
                if (c < VALUE_COLUMNS && column0 + c < HEAD_WIDTH) part[FEATURES + column0 + c] = totals[x];
            }
        }
        UNROLL for (int r = 0; r < 8; r++) UNROLL for (int c = 0; c < COLUMNS; c++) {
            const int j = group * KEY_ROWS + row_of<KEY_ROWS>(r), column = column0 + column_of(c);
            if (j < FEATURES && column < HEAD_WIDTH) part[QUERY_PART_SUMS + j * HEAD_WIDTH + column] = acc[r][c];
        }
        __syncthreads();
    }
}
EXPORT_KERNEL(favor_query_sums)

// Adds the splits of a head in order, then eps times the sums of dnum and dden.
extern "C" __global__ __launch_bounds__(128, 8)
void favor_merge_queries(float* __restrict__ dsums, float* __restrict__ dnormalisers, const float* __restrict__ parts, int first_unit, int units, int tokens)
{
    const int splits = (tokens + SPLIT_TOKENS - 1) / SPLIT_TOKENS;
    const long long count = (long long)units * FEATURES * (HEAD_WIDTH + 1);
    for (long long e = (long long)blockIdx.x * blockDim.x + threadIdx.x; e < count; e += (long long)gridDim.x * blockDim.x) {
        const int d = (int)(e % (HEAD_WIDTH + 1)), j = (int)(e / (HEAD_WIDTH + 1) % FEATURES), unit = (int)(e / (HEAD_WIDTH + 1) / FEATURES);
        const float* part = parts + (size_t)unit * splits * QUERY_PART_FLOATS;
        const int at = d < HEAD_WIDTH ? QUERY_PART_SUMS + j * HEAD_WIDTH + d : j;
        float sum = 0.f, rest = 0.f;
        for (int s = 0; s < splits; s++) {
            const float* p = part + (size_t)s * QUERY_PART_FLOATS;
            sum += p[at];
            rest += p[FEATURES + d];
        }
        sum = fmaf(FEATURE_MAP_EPSILON, rest, sum);
        const size_t to = (size_t)(first_unit + unit) * FEATURES + j;
        if (d < HEAD_WIDTH) dsums[to * HEAD_WIDTH + d] = sum;
        else dnormalisers[to] = sum;
    }
}
EXPORT_KERNEL(favor_merge_queries)
