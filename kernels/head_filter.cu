// head_filter.cu: the head's one filter over the width, a number a gene.
// Math     u[n] = relu(w · y[n] + b)     backward, e[n] = du[n] where u[n] > 0, else 0: dy[n, c] = e[n] w[c]     dw[c] += sum of e[n] y[n, c]     db += sum of e[n]
//          The bias is column C of the sum over rows, with y = 1. Trees: over channels lane, lane + 32, ... then warp_sum; over rows as in rows.cuh.
// Shapes   y, dy [N, C] of one element type     w [C], b [1], u, du [N] float32     partials [ceil(N / 32), C + 1], null where w and b are frozen     dy null where not needed
// Launch   forward: block 256, a warp a row, any grid.x; no shared memory     backward: block 256, a chunk of 32 rows by a tile of 256 columns a turn, any grid.x; 8 KB
// Traffic  forward reads N·C elements, writes 4·N bytes     backward reads N·C elements for dw and writes N·C of dy, N·C / 8 bytes of partials
// Work     2·N·C FLOP forward, 3·N·C backward: bound by memory bandwidth
// Access   forward: u Write     backward: dy Write, partials Write (merge_row_sums: dw, db Accumulate)
#include "rows.cuh"

template <class T> __device__ __forceinline__ void head_filter_forward(
    float* __restrict__ u, const T* __restrict__ y, const float* __restrict__ w, const float* __restrict__ bias, int N, int C)
{
    const int lane = threadIdx.x % WARP_SIZE;
    for (long long n = grid_thread() / WARP_SIZE; n < N; n += grid_threads() / WARP_SIZE) {
        const T* row = y + (size_t)n * C;
        float sum = 0.0f;
        UNROLL_BY(8) for (int c = lane; c < C; c += WARP_SIZE) sum += w[c] * to_float(row[c]);
        sum = warp_sum(sum) + bias[0];
        if (lane == 0) u[n] = sum < 0.0f ? 0.0f : sum;
    }
}

template <class T> __device__ __forceinline__ void head_filter_backward(
    T* __restrict__ dy, float* __restrict__ partials, const float* __restrict__ du, const float* __restrict__ u, const T* __restrict__ y, const float* __restrict__ w, int N, int C)
{
    __shared__ float board[ROW_WARPS * TILE_COLUMNS];
    const int lane = threadIdx.x % WARP_SIZE, warp = threadIdx.x / WARP_SIZE;
    const long long width = (long long)C + 1;
    const long long tiles = (width + TILE_COLUMNS - 1) / TILE_COLUMNS, chunks = ((long long)N + CHUNK_ROWS - 1) / CHUNK_ROWS;
    for (long long item = blockIdx.x; item < chunks * tiles; item += gridDim.x) {
        const long long chunk = item / tiles, column = item % tiles * TILE_COLUMNS;
        const int columns = (int)min((long long)TILE_COLUMNS, width - column);
        float sums[LANE_COLUMNS] = {};
        UNROLL for (int turn = 0; turn < ROW_TURNS; turn++) {
            const long long n = chunk * CHUNK_ROWS + turn * ROW_WARPS + warp;
            if (n >= N) continue;
            const size_t at = (size_t)n * C + column;
            const float e = u[n] > 0.0f ? du[n] : 0.0f;
            UNROLL for (int k = 0; k < LANE_COLUMNS; k++) {
                const int c = lane + WARP_SIZE * k;
                if (c >= columns) continue;
                const bool one = column + c == C;
                if (dy && !one) dy[at + c] = rounded<T>(e * w[column + c]);
                if (partials) sums[k] += one ? e : e * to_float(y[at + c]);
            }
        }
        if (partials) write_partials(partials + (size_t)chunk * width + column, columns, sums, board);
    }
}

#define INSTANCE(T) \
    extern "C" __global__ __launch_bounds__(256) \
    void head_filter_forward_##T(float* __restrict__ u, const T* __restrict__ y, const float* __restrict__ w, const float* __restrict__ bias, int N, int C) \
    { head_filter_forward<T>(u, y, w, bias, N, C); } \
    EXPORT_KERNEL(head_filter_forward_##T) \
    extern "C" __global__ __launch_bounds__(256) \
    void head_filter_backward_##T(T* __restrict__ dy, float* __restrict__ partials, const float* __restrict__ du, const float* __restrict__ u, const T* __restrict__ y, \
                                  const float* __restrict__ w, int N, int C) { head_filter_backward<T>(dy, partials, du, u, y, w, N, C); } \
    EXPORT_KERNEL(head_filter_backward_##T)
INSTANCE(f32)
INSTANCE(f16)
INSTANCE(bf16)
#undef INSTANCE
