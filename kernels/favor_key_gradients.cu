// favor_key_gradients.cu: dk and dv of FAVOR+ attention without tensor cores, with recomputed features.
// Math     u = exp(c P k - h - M)   dv = u dS + eps sum_j dS_j   G = u (dS (v - v0) + dz), less g at the one arg-max element of M
//          g = -eps n sum dz over features, heads (and cells, in batch scope)   dk = c P^T G - c^2 k sum_j G_j, the last sum before g is taken off
// Shapes   k, v, dk, dv [B T, H D] float32, float16 or bfloat16   dsums dS [U, M, D]   dnormalisers dz [U, M]   dtotals [U, D + 1]: their sums over the features
//          means v0 [U, D]   maximum [slots]   maximum_at [slots, 4]: cell, token, feature, head   projection [M, D]   U = B H
// Launch   any one-dimensional grid of TOKEN_ROWS threads; static shared memory as favor_tiles.cuh says
// Traffic  k, v, dk, dv once from memory; P, dS, k and v for each 32 features from L2
// Work     8 M D FLOP a token and head, features padded to 32s: bound by float32 arithmetic; two 8 x COLUMNS tiles in registers
// Access   dk, dv Write
#include "favor_tiles.cuh"

extern "C" __global__ BOUNDS_OF_TWO(TOKEN_ROWS)
void favor_key_gradients(element* __restrict__ dk, element* __restrict__ dv, const float* __restrict__ dsums, const float* __restrict__ dnormalisers,
    const float* __restrict__ dtotals, const float* __restrict__ means, const float* __restrict__ maximum, const int* __restrict__ maximum_at,
    const element* __restrict__ k, const element* __restrict__ v, const float* __restrict__ projection,
    int units, int units_of_slot, int heads, int tokens, float scale, float squared_scale)
{
    __shared__ Board<TOKEN_ROWS> board;
    const int blocks = (tokens + TOKEN_ROWS - 1) / TOKEN_ROWS, tid = threadIdx.x;
    const size_t row = (size_t)heads * HEAD_WIDTH;
    for (long long item = blockIdx.x; item < (long long)units * blocks * VALUE_CHUNKS; item += gridDim.x) {
        const int column0 = (int)(item % VALUE_CHUNKS) * VALUE_COLUMNS, t0 = (int)(item / VALUE_CHUNKS % blocks) * TOKEN_ROWS, unit = (int)(item / VALUE_CHUNKS / blocks);
        const size_t base = head_at(unit, heads, tokens) + t0 * row;
        const int n = min(TOKEN_ROWS, tokens - t0), slot = unit / units_of_slot;
        const float* ds = dsums + (size_t)unit * FEATURES * HEAD_WIDTH;
        const float* mean = means + (size_t)unit * HEAD_WIDTH;
        const float top = maximum[slot];

        // The row that holds the maximum takes g off at its feature.
        const int* at = maximum_at + 4 * slot;
        const int best = at[0] == unit / heads && at[3] == unit % heads && at[1] == t0 + tid ? at[2] : -1;
        float g = 0.f;
        if (best >= 0) {
            for (int u = slot * units_of_slot; u < (slot + 1) * units_of_slot; u++) g += dtotals[(size_t)u * (HEAD_WIDTH + 1) + HEAD_WIDTH];
            g *= -FEATURE_MAP_EPSILON * tokens;
        }
        float dks[8][COLUMNS], dvs[8][COLUMNS], t[4][8];
        clear<TOKEN_ROWS>(dks);
        clear<TOKEN_ROWS>(dvs);
        float total = 0.f;
        for (int j0 = 0; j0 < FEATURES; j0 += INNER) {
            const int m = min(INNER, FEATURES - j0);
            const float half = 0.5f * squared_scale * multiply<TOKEN_ROWS, SQUARES_OF_ROWS>(t, board,
                m, [&](int i, int d) { return scale * projection[(j0 + i) * HEAD_WIDTH + d]; },
                n, [&](int r, int d) { return to_float(k[base + r * row + d]); });
            keep(board, t);
            if (tid < INNER) board.inner[tid] = tid < m ? dnormalisers[(size_t)unit * FEATURES + j0 + tid] : 0.f;
            __syncthreads();
            fetch_values(board, m, column0, [&](int i, int column) { return ds[(j0 + i) * HEAD_WIDTH + column]; });
            UNROLL_BY(8) for (int i = 0; i < INNER; i++) {
                float* d = board.tile + tile_at<TOKEN_ROWS>(i, tid);
                *d = i < m ? exponential(*d - (half + top)) : 0.f;
            }
            __syncthreads();
            accumulate(dvs, board);
            multiply<TOKEN_ROWS, NO_SQUARES>(t, board,
                m, [&](int i, int d) { return ds[(j0 + i) * HEAD_WIDTH + d]; },
                n, [&](int r, int d) { return to_float(v[base + r * row + d]) - mean[d]; });
            combine(board, [&](int i, int r, float u) { return u * (t[i][r] + board.inner[inner_of(i)]); });
            __syncthreads();
            UNROLL_BY(8) for (int i = 0; i < INNER; i++) total += board.tile[tile_at<TOKEN_ROWS>(i, tid)];
            if (best >= j0 && best < j0 + INNER) board.tile[tile_at<TOKEN_ROWS>(best - j0, tid)] -= g;
            fetch_values(board, m, column0, [&](int i, int column) { return scale * projection[(j0 + i) * HEAD_WIDTH + column]; });
            __syncthreads();
            accumulate(dks, board);
        }
        board.rows[tid] = squared_scale * total;
        __syncthreads();
        UNROLL for (int r = 0; r < 8; r++) UNROLL for (int c = 0; c < COLUMNS; c++) {
            const int token = row_of<TOKEN_ROWS>(r), column = column0 + column_of(c);
            if (token >= n || column >= HEAD_WIDTH) continue;
            const size_t to = base + token * row + column;
            dk[to] = rounded<element>(fmaf(-board.rows[token], to_float(k[to]), dks[r][c]));
            dv[to] = rounded<element>(fmaf(FEATURE_MAP_EPSILON, dtotals[(size_t)unit * (HEAD_WIDTH + 1) + column], dvs[r][c]));
        }
        __syncthreads();
    }
}
EXPORT_KERNEL(favor_key_gradients)
