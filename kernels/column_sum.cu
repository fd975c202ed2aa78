// column_sum.cu: the gradient of a bias, and the second half of every sum over rows.
// Math     column_sum: partials[chunk, c] = sum over the chunk's 32 rows of dy[n, c]
//          merge_row_sums: first[c] += sum over chunks of partials[chunk, c]; columns from `columns` on go to second. The finished sum is added once.
//          Tree: rows as in rows.cuh; then 32 warps take every 32nd chunk in order, and the warps are added in order.
// Shapes   dy [N, C] of any element type     partials [ceil(N / 32), columns + more] float32     first [columns], second [more] float32, either null
// Launch   column_sum: block 256, any grid.x; 8 KB of shared memory     merge_row_sums: block 1024, any grid.x; 4 KB of shared memory
// Traffic  column_sum reads N·C elements and writes N·C / 8 bytes; merge_row_sums reads those, reads and writes the sums
// Work     N·C FLOP: bound by memory bandwidth; each thread has up to 32 loads in flight
// Access   column_sum: partials Write, dy Read     merge_row_sums: first and second Accumulate, partials Read
#include "rows.cuh"

template <class T> __device__ __forceinline__ void column_sum(float* __restrict__ partials, const T* __restrict__ dy, int N, int C)
{
    __shared__ float board[ROW_WARPS * TILE_COLUMNS];
    const int lane = threadIdx.x % WARP_SIZE, warp = threadIdx.x / WARP_SIZE;
    const long long tiles = ((long long)C + TILE_COLUMNS - 1) / TILE_COLUMNS, chunks = ((long long)N + CHUNK_ROWS - 1) / CHUNK_ROWS;
    for (long long item = blockIdx.x; item < chunks * tiles; item += gridDim.x) {
        const long long chunk = item / tiles, column = item % tiles * TILE_COLUMNS;
        const int columns = (int)min((long long)TILE_COLUMNS, C - column);
        float sums[LANE_COLUMNS] = {};
        UNROLL for (int turn = 0; turn < ROW_TURNS; turn++) {
            const long long n = chunk * CHUNK_ROWS + turn * ROW_WARPS + warp;
            if (n >= N) continue;
            const T* row = dy + (size_t)n * C + column;
            UNROLL for (int k = 0; k < LANE_COLUMNS; k++) {
                const int c = lane + WARP_SIZE * k;
                if (c < columns) sums[k] += to_float(row[c]);
            }
        }
        write_partials(partials + (size_t)chunk * C + column, columns, sums, board);
    }
}

#define INSTANCE(T) \
    extern "C" __global__ __launch_bounds__(256) void column_sum_##T(float* __restrict__ partials, const T* __restrict__ dy, int N, int C) { column_sum<T>(partials, dy, N, C); } \
    EXPORT_KERNEL(column_sum_##T)
INSTANCE(f32)
INSTANCE(f16)
INSTANCE(bf16)
#undef INSTANCE

extern "C" __global__ __launch_bounds__(1024)
void merge_row_sums(float* __restrict__ first, float* __restrict__ second, const float* __restrict__ partials, int chunks, int columns, int more)
{
    __shared__ float board[WARP_SIZE * WARP_SIZE];
    const int lane = threadIdx.x % WARP_SIZE, warp = threadIdx.x / WARP_SIZE;
    const long long width = (long long)columns + more;
    for (long long tile = (long long)blockIdx.x * WARP_SIZE; tile < width; tile += (long long)gridDim.x * WARP_SIZE) {
        const long long c = tile + lane;
        float sum = 0.0f;
        if (c < width) {
            UNROLL_BY(8) for (int chunk = warp; chunk < chunks; chunk += WARP_SIZE) sum += partials[(size_t)chunk * width + c];
        }
        board[warp * WARP_SIZE + lane] = sum;
        __syncthreads();
        if (warp == 0 && c < width) {
            float total = board[lane];
            for (int w = 1; w < WARP_SIZE; w++) total += board[w * WARP_SIZE + lane];
            if (c < columns) { if (first) first[c] += total; }
            else if (second) second[c - columns] += total;
        }
        __syncthreads();
    }
}
EXPORT_KERNEL(merge_row_sums)
