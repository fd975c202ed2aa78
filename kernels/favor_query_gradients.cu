// favor_query_gradients.cu: dq of FAVOR+ attention without tensor cores, with recomputed features, and what the sums over queries need of each.
// Math     w = exp(c P q - h - max_j)   den = w z + eps sum_j z_j   num = w (S' dO) + eps (sum_j S'_j) dO   [= den dO (O - v0), without the cancellation]
//          dden = -num / den^2   g = -eps (dO sum_j S'_j / den + dden sum_j z_j)   G = w (S' dO / den + z dden), less g at the row's first arg-max feature
//          dq = c P^T G - c^2 g q
// Shapes   q, dO, dq [B T, H D] float32, float16 or bfloat16   sums S' [U, M, D]   normalisers z [U, M]   totals [U, D + 1]   projection [M, D]   U = B H
//          statistics [U, 3, T]: h + max_j, 1 / den, dden
// Launch   any one-dimensional grid of TOKEN_ROWS threads; static shared memory as favor_tiles.cuh says
// Traffic  q, dO, dq once from memory; P, S', q and dO for each 32 features, twice, from L2
// Work     10 M D FLOP a token and head, features padded to 32s: two passes over the features, since G needs den and num. Bound by float32 arithmetic
// Access   dq, statistics Write
#include "favor_tiles.cuh"

extern "C" __global__ BOUNDS(TOKEN_ROWS)
void favor_query_gradients(element* __restrict__ dq, float* __restrict__ statistics, const element* __restrict__ dout, const float* __restrict__ sums,
    const float* __restrict__ normalisers, const float* __restrict__ totals, const element* __restrict__ q, const float* __restrict__ projection,
    int units, int heads, int tokens, float scale, float squared_scale)
{
    __shared__ Board<TOKEN_ROWS> board;
    const int blocks = (tokens + TOKEN_ROWS - 1) / TOKEN_ROWS, tid = threadIdx.x;
    const size_t row = (size_t)heads * HEAD_WIDTH;
    for (long long item = blockIdx.x; item < (long long)units * blocks * VALUE_CHUNKS; item += gridDim.x) {
        const int column0 = (int)(item % VALUE_CHUNKS) * VALUE_COLUMNS, t0 = (int)(item / VALUE_CHUNKS % blocks) * TOKEN_ROWS, unit = (int)(item / VALUE_CHUNKS / blocks);
        const size_t base = head_at(unit, heads, tokens) + t0 * row;
        const int n = min(TOKEN_ROWS, tokens - t0);
        const float* s = sums + (size_t)unit * FEATURES * HEAD_WIDTH;
        const float* z = normalisers + (size_t)unit * FEATURES;
        const float* total = totals + (size_t)unit * (HEAD_WIDTH + 1);
        float t[4][8];
        float shift = 0.f, maximum = -INFINITY_F, denominator = 0.f, numerator = 0.f, outside = 0.f;
        int best = 0;
        const auto queries = [&](int r, int d) { return to_float(q[base + r * row + d]); };
        const auto gradients = [&](int r, int d) { return to_float(dout[base + r * row + d]); };

        for (int j0 = 0; j0 < FEATURES; j0 += INNER) {
            const int m = min(INNER, FEATURES - j0);
            const float half = 0.5f * squared_scale * multiply<TOKEN_ROWS, SQUARES_OF_ROWS>(t, board,
                m, [&](int i, int d) { return scale * projection[(j0 + i) * HEAD_WIDTH + d]; }, n, queries);
            keep(board, t);
            if (tid < INNER) board.inner[tid] = tid < m ? z[j0 + tid] : 0.f;
            __syncthreads();
            float high = maximum;
            UNROLL_BY(8) for (int i = 0; i < INNER; i++) {
                const float d = board.tile[tile_at<TOKEN_ROWS>(i, tid)];
                if (i < m && d > high) { high = d; best = j0 + i; }
            }
            const float factor = high > maximum ? exponential(maximum - high) : 1.f;
            maximum = high;
            shift = half + maximum;
            denominator *= factor;
            numerator *= factor;
            UNROLL_BY(8) for (int i = 0; i < INNER; i++) {
                float* d = board.tile + tile_at<TOKEN_ROWS>(i, tid);
                const float w = i < m ? exponential(*d - shift) : 0.f;
                denominator = fmaf(w, board.inner[i], denominator);
                *d = w;
            }
            multiply<TOKEN_ROWS, NO_SQUARES>(t, board, m, [&](int i, int d) { return s[(j0 + i) * HEAD_WIDTH + d]; }, n, gradients);
            combine(board, [&](int i, int r, float w) { return w * t[i][r]; });
            __syncthreads();
            UNROLL_BY(8) for (int i = 0; i < INNER; i++) numerator += board.tile[tile_at<TOKEN_ROWS>(i, tid)];
        }
        if (tid < n) for (int d = 0; d < HEAD_WIDTH; d++) outside = fmaf(total[d], to_float(dout[base + tid * row + d]), outside);
        const float inverse = 1.f / fmaf(FEATURE_MAP_EPSILON, total[HEAD_WIDTH], denominator);
        const float mean = fmaf(FEATURE_MAP_EPSILON, outside, numerator) * inverse;
        const float g = -FEATURE_MAP_EPSILON * inverse * (outside - total[HEAD_WIDTH] * mean);
        if (tid < n && column0 == 0) {
            float* to = statistics + (size_t)unit * 3 * tokens + t0 + tid;
            to[0] = shift;
            to[tokens] = inverse;
            to[2 * (size_t)tokens] = -mean * inverse;
        }

        float acc[8][COLUMNS];
        clear<TOKEN_ROWS>(acc);
        __syncthreads();
        board.rows[tid] = mean;
        for (int j0 = 0; j0 < FEATURES; j0 += INNER) {
            const int m = min(INNER, FEATURES - j0);
            multiply<TOKEN_ROWS, NO_SQUARES>(t, board, m, [&](int i, int d) { return scale * projection[(j0 + i) * HEAD_WIDTH + d]; }, n, queries);
            keep(board, t);
            if (tid < INNER) board.inner[tid] = tid < m ? z[j0 + tid] : 0.f;
            __syncthreads();
            UNROLL_BY(8) for (int i = 0; i < INNER; i++) {
                float* d = board.tile + tile_at<TOKEN_ROWS>(i, tid);
                *d = i < m ? exponential(*d - shift) * inverse : 0.f;
            }
            multiply<TOKEN_ROWS, NO_SQUARES>(t, board, m, [&](int i, int d) { return s[(j0 + i) * HEAD_WIDTH + d]; }, n, gradients);
            combine(board, [&](int i, int r, float w) { return w * fmaf(-board.inner[inner_of(i)], board.rows[row_of<TOKEN_ROWS>(r)], t[i][r]); });
            __syncthreads();
            if (best >= j0 && best < j0 + INNER) board.tile[tile_at<TOKEN_ROWS>(best - j0, tid)] -= g;
            fetch_values(board, m, column0, [&](int i, int column) { return scale * projection[(j0 + i) * HEAD_WIDTH + column]; });
            __syncthreads();
            accumulate(acc, board);
        }
        board.rows[tid] = squared_scale * g;
        __syncthreads();
        UNROLL for (int r = 0; r < 8; r++) UNROLL for (int c = 0; c < COLUMNS; c++) {
            const int token = row_of<TOKEN_ROWS>(r), column = column0 + column_of(c);
            if (token >= n || column >= HEAD_WIDTH) continue;
            const size_t at = base + token * row + column;
            dq[at] = rounded<element>(fmaf(-board.rows[token], to_float(q[at]), acc[r][c]));
        }
        __syncthreads();
    }
}
EXPORT_KERNEL(favor_query_gradients)
