// gene_attention.cu: column sums of the attention matrix in linear time, without tensor cores; the keys' sums come from favor_keys.cu with -D VALUES=0.
// Math     w = exp(c P q - h - max_j)   r = sum_i (w_i + eps) / ((w_i + eps) . z)   column = (u + eps) . r   u = exp(c P k - h - M)   scores += sum_heads weight column
// Shapes   q, k [B T, H D] float32, float16 or bfloat16   normalisers z, weights r [U, M]   totals, weight_totals [U, D + 1]: in the last place the sum of z, or r, over
//          the features   statistics [U, 2, T]: h + max_j, 1 / (phi_q . z)   parts [units, splits, M + 1]   columns [U, T]   head_weights [H]   scores [B, T]   U = B H
// Launch   any one-dimensional grid; statistics and columns TOKEN_ROWS threads, sums KEY_ROWS, merge 128, scores 256
// Traffic  q and k once from memory each time they are read; P from L2
// Work     8 M D FLOP a token and head with the sums over keys, features padded to 32s: bound by float32 arithmetic
// Access   statistics, parts, weights, columns Write   scores Accumulate: the finished sum over the heads, in their order, is added once
#include "favor_tiles.cuh"

#define WEIGHT_PART_FLOATS (FEATURES + 1)

extern "C" __global__ BOUNDS(TOKEN_ROWS)
void gene_query_statistics(float* __restrict__ statistics, const float* __restrict__ normalisers, const float* __restrict__ totals, const element* __restrict__ q,
    const float* __restrict__ projection, int units, int heads, int tokens, float scale, float half_scale)
{
    __shared__ Board<TOKEN_ROWS> board;
    const int blocks = (tokens + TOKEN_ROWS - 1) / TOKEN_ROWS, tid = threadIdx.x;
    const size_t row = (size_t)heads * HEAD_WIDTH;
    for (long long item = blockIdx.x; item < (long long)units * blocks; item += gridDim.x) {
        const int t0 = (int)(item % blocks) * TOKEN_ROWS, unit = (int)(item / blocks), n = min(TOKEN_ROWS, tokens - t0);
        const size_t base = head_at(unit, heads, tokens) + t0 * row;
        float t[4][8], half = 0.f, maximum = -INFINITY_F, denominator = 0.f;
        for (int j0 = 0; j0 < FEATURES; j0 += INNER) {
            const int m = min(INNER, FEATURES - j0);
            half = half_scale * multiply<TOKEN_ROWS, SQUARES_OF_ROWS>(t, board,
                m, [&](int i, int d) { return scale * projection[(j0 + i) * HEAD_WIDTH + d]; },
                n, [&](int r, int d) { return to_float(q[base + r * row + d]); });
            keep(board, t);
            if (tid < INNER) board.inner[tid] = tid < m ? normalisers[(size_t)unit * FEATURES + j0 + tid] : 0.f;
            __syncthreads();
            float high = maximum;
            UNROLL_BY(8) for (int i = 0; i < INNER; i++) if (i < m) high = fmaxf(high, board.tile[tile_at<TOKEN_ROWS>(i, tid)]);
            if (high > maximum) denominator *= exponential(maximum - high);
            maximum = high;
            UNROLL_BY(8) for (int i = 0; i < INNER; i++)
                if (i < m) denominator = fmaf(exponential(board.tile[tile_at<TOKEN_ROWS>(i, tid)] - (half + maximum)), board.inner[i], denominator);
        }
        if (tid < n) {
            float* to = statistics + (size_t)unit * 2 * tokens + t0 + tid;
            to[0] = half + maximum;
            to[tokens] = 1.f / fmaf(FEATURE_MAP_EPSILON, totals[(size_t)unit * (HEAD_WIDTH + 1) + HEAD_WIDTH], denominator);
        }
        __syncthreads();
    }
}
EXPORT_KERNEL(gene_query_statistics)

// A split's share of r: sum of w / den [M], sum of 1 / den.
extern "C" __global__ BOUNDS(KEY_ROWS)
void gene_query_sums(float* __restrict__ parts, const element* __restrict__ q, const float* __restrict__ statistics, const float* __restrict__ projection,
    int first_unit, int units, int heads, int tokens, float scale)
{
    __shared__ Board<KEY_ROWS> board;
    __shared__ float inverses[INNER];
    const int splits = (tokens + SPLIT_TOKENS - 1) / SPLIT_TOKENS, tid = threadIdx.x;
    const size_t row = (size_t)heads * HEAD_WIDTH;
    for (long long item = blockIdx.x; item < (long long)units * splits * KEY_GROUPS; item += gridDim.x) {
        const int group = (int)(item % KEY_GROUPS), split = (int)(item / KEY_GROUPS % splits), unit = (int)(item / KEY_GROUPS / splits);
        const int first = split * SPLIT_TOKENS, end = min(first + SPLIT_TOKENS, tokens), feature = group * KEY_ROWS + tid;
        const size_t base = head_at(first_unit + unit, heads, tokens);
        const float* statistic = statistics + (size_t)(first_unit + unit) * 2 * tokens;
        float t[4][8], weight = 0.f, rest = 0.f;
        for (int t0 = first; t0 < end; t0 += INNER) {
            const int n = min(INNER, end - t0);
            multiply<KEY_ROWS, NO_SQUARES>(t, board,
                n, [&](int i, int d) { return to_float(q[base + (t0 + i) * row + d]); },
                min(KEY_ROWS, FEATURES - group * KEY_ROWS), [&](int r, int d) { return scale * projection[(group * KEY_ROWS + r) * HEAD_WIDTH + d]; });
            keep(board, t);
            if (tid < INNER) {
                board.inner[tid] = tid < n ? statistic[t0 + tid] : 0.f;
                inverses[tid] = tid < n ? statistic[tokens + t0 + tid] : 0.f;
            }
            __syncthreads();
            UNROLL_BY(8) for (int i = 0; i < INNER; i++) {
                if (i < n) weight = fmaf(exponential(board.tile[tile_at<KEY_ROWS>(i, tid)] - board.inner[i]), inverses[i], weight);
                rest += inverses[i];
            }
        }
        float* part = parts + ((size_t)unit * splits + split) * WEIGHT_PART_FLOATS;
        if (feature < FEATURES) part[feature] = weight;
        if (group == 0 && tid == 0) part[FEATURES] = rest;
        __syncthreads();
    }
}
EXPORT_KERNEL(gene_query_sums)

extern "C" __global__ __launch_bounds__(128, 8)
void gene_merge_queries(float* __restrict__ weights, const float* __restrict__ parts, int first_unit, int units, int tokens)
{
    const int splits = (tokens + SPLIT_TOKENS - 1) / SPLIT_TOKENS;
    for (long long e = (long long)blockIdx.x * blockDim.x + threadIdx.x; e < (long long)units * FEATURES; e += (long long)gridDim.x * blockDim.x) {
        const float* part = parts + (size_t)(e / FEATURES) * splits * WEIGHT_PART_FLOATS;
        float sum = 0.f, rest = 0.f;
        for (int s = 0; s < splits; s++) {
            sum += part[(size_t)s * WEIGHT_PART_FLOATS + e % FEATURES];
            rest += part[(size_t)s * WEIGHT_PART_FLOATS + FEATURES];
        }
        weights[(size_t)first_unit * FEATURES + e] = fmaf(FEATURE_MAP_EPSILON, rest, sum);
    }
}
EXPORT_KERNEL(gene_merge_queries)

extern "C" __global__ BOUNDS(TOKEN_ROWS)
void gene_columns(float* __restrict__ columns, const float* __restrict__ weights, const float* __restrict__ weight_totals, const float* __restrict__ maximum,
    const element* __restrict__ k, const float* __restrict__ projection, int units, int units_of_slot, int heads, int tokens, float scale, float half_scale)
{
    __shared__ Board<TOKEN_ROWS> board;
    const int blocks = (tokens + TOKEN_ROWS - 1) / TOKEN_ROWS, tid = threadIdx.x;
    const size_t row = (size_t)heads * HEAD_WIDTH;
    for (long long item = blockIdx.x; item < (long long)units * blocks; item += gridDim.x) {
        const int t0 = (int)(item % blocks) * TOKEN_ROWS, unit = (int)(item / blocks), n = min(TOKEN_ROWS, tokens - t0);
        const size_t base = head_at(unit, heads, tokens) + t0 * row;
        const float top = maximum[unit / units_of_slot];
        float t[4][8], sum = 0.f;
        for (int j0 = 0; j0 < FEATURES; j0 += INNER) {
            const int m = min(INNER, FEATURES - j0);
            const float half = half_scale * multiply<TOKEN_ROWS, SQUARES_OF_ROWS>(t, board,
                m, [&](int i, int d) { return scale * projection[(j0 + i) * HEAD_WIDTH + d]; },
                n, [&](int r, int d) { return to_float(k[base + r * row + d]); });
            keep(board, t);
            if (tid < INNER) board.inner[tid] = tid < m ? weights[(size_t)unit * FEATURES + j0 + tid] : 0.f;
            __syncthreads();
            UNROLL_BY(8) for (int i = 0; i < INNER; i++)
                if (i < m) sum = fmaf(exponential(board.tile[tile_at<TOKEN_ROWS>(i, tid)] - (half + top)), board.inner[i], sum);
        }
        if (tid < n) columns[(size_t)unit * tokens + t0 + tid] = fmaf(FEATURE_MAP_EPSILON, weight_totals[(size_t)unit * (HEAD_WIDTH + 1) + HEAD_WIDTH], sum);
        __syncthreads();
    }
}
EXPORT_KERNEL(gene_columns)

extern "C" __global__ __launch_bounds__(256)
void gene_scores(float* __restrict__ scores, const float* __restrict__ columns, const float* __restrict__ head_weights, int cells, int heads, int tokens)
{
    for (long long e = (long long)blockIdx.x * blockDim.x + threadIdx.x; e < (long long)cells * tokens; e += (long long)gridDim.x * blockDim.x) {
        const float* column = columns + (size_t)(e / tokens) * heads * tokens + e % tokens;
        float sum = 0.f;
        for (int h = 0; h < heads; h++) sum = fmaf(head_weights[h], column[(size_t)h * tokens], sum);
        scores[e] += sum;
    }
}
EXPORT_KERNEL(gene_scores)
