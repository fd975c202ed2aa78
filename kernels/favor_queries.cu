// favor_queries.cu: the outputs of FAVOR+ attention without tensor cores, in the centred form.
// Math     w = exp(c P q - c^2 |q|^2 / 2 - max_j)   out = v0 + (w S' + eps sum_j S'_j) / (w z + eps sum_j z_j)
// Shapes   q, out [B T, H D] float32, float16 or bfloat16   sums S' [U, M, D]   normalisers z [U, M]   means v0 [U, D]   totals [U, D + 1]   projection [M, D]   U = B H
// Launch   any one-dimensional grid of TOKEN_ROWS threads; static shared memory as favor_tiles.cuh says
// Traffic  q and out once from memory; P, S' and q for each 32 features from L2: 20 FLOP a byte of L2
// Work     4 M D FLOP a token and head, features padded to 32s: bound by float32 arithmetic. Predicted, not measured: half of the float32 peak
// Access   out Write
#include "favor_tiles.cuh"

extern "C" __global__ BOUNDS(TOKEN_ROWS)
void favor_queries(element* __restrict__ out, const float* __restrict__ sums, const float* __restrict__ normalisers, const float* __restrict__ means,
    const float* __restrict__ totals, const element* __restrict__ q, const float* __restrict__ projection, int units, int heads, int tokens, float scale, float half_scale)
{
    __shared__ Board<TOKEN_ROWS> board;
    const int blocks = (tokens + TOKEN_ROWS - 1) / TOKEN_ROWS, tid = threadIdx.x;
    const size_t row = (size_t)heads * HEAD_WIDTH;
    for (long long item = blockIdx.x; item < (long long)units * blocks * VALUE_CHUNKS; item += gridDim.x) {
        const int column0 = (int)(item % VALUE_CHUNKS) * VALUE_COLUMNS, t0 = (int)(item / VALUE_CHUNKS % blocks) * TOKEN_ROWS, unit = (int)(item / VALUE_CHUNKS / blocks);
        const size_t base = head_at(unit, heads, tokens) + t0 * row;
        const int n = min(TOKEN_ROWS, tokens - t0);
        const float* s = sums + (size_t)unit * FEATURES * HEAD_WIDTH;
        float acc[8][COLUMNS], t[4][8];
        clear<TOKEN_ROWS>(acc);
        float maximum = -INFINITY_F, denominator = 0.f;
        for (int j0 = 0; j0 < FEATURES; j0 += INNER) {
            const int m = min(INNER, FEATURES - j0);
            const float half = half_scale * multiply<TOKEN_ROWS, SQUARES_OF_ROWS>(t, board,
                m, [&](int i, int d) { return scale * projection[(j0 + i) * HEAD_WIDTH + d]; },
                n, [&](int r, int d) { return to_float(q[base + r * row + d]); });
            keep(board, t);
            if (tid < INNER) board.inner[tid] = tid < m ? normalisers[(size_t)unit * FEATURES + j0 + tid] : 0.f;
            __syncthreads();
            fetch_values(board, m, column0, [&](int i, int column) { return s[(j0 + i) * HEAD_WIDTH + column]; });
            float high = maximum;
            UNROLL_BY(8) for (int i = 0; i < INNER; i++) if (i < m) high = fmaxf(high, board.tile[tile_at<TOKEN_ROWS>(i, tid)]);
            const float factor = high > maximum ? exponential(maximum - high) : 1.f;
            maximum = high;
            denominator *= factor;
            UNROLL_BY(8) for (int i = 0; i < INNER; i++) {
                float* d = board.tile + tile_at<TOKEN_ROWS>(i, tid);
                const float w = i < m ? exponential(*d - (half + maximum)) : 0.f;
                denominator = fmaf(w, board.inner[i], denominator);
                *d = w;
            }
            board.rows[tid] = factor;
            __syncthreads();
            rescale(acc, board);
            accumulate(acc, board);
        }
        const float* total = totals + (size_t)unit * (HEAD_WIDTH + 1);
        __syncthreads();
        board.rows[tid] = 1.f / fmaf(FEATURE_MAP_EPSILON, total[HEAD_WIDTH], denominator);
        __syncthreads();
        UNROLL for (int r = 0; r < 8; r++) UNROLL for (int c = 0; c < COLUMNS; c++) {
            const int token = row_of<TOKEN_ROWS>(r), column = column0 + column_of(c);
            if (token < n && column < HEAD_WIDTH)
                out[base + token * row + column] = rounded<element>(fmaf(fmaf(FEATURE_MAP_EPSILON, total[column], acc[r][c]), board.rows[token], means[(size_t)unit * HEAD_WIDTH + column]));
        }
        __syncthreads();
    }
}
EXPORT_KERNEL(favor_queries)
