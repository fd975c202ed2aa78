// layer_norm.cu: layer normalisation over channels.                    Ba, Kiros, Hinton 2016, arXiv:1607.06450
// Math     mean = sum x / C     rstd = 1 / sqrt(sum (x - mean)² / C + eps)     n = (x - mean) rstd     y = n gamma + beta
//          Two passes on purpose: in float32, E[x²] - mean² is up to 2 % off at mean = 100 std, even negative at 1000 std.
//          Backward, g = dy gamma: dx = rstd (g - mean(g) - n mean(g n))     dgamma += sum over rows of dy n     dbeta += sum over rows of dy
//          Tree over channels: a lane takes lane, lane + 32, ... in order, then warp_sum. Over rows: rows.cuh.
// Shapes   x, dx [N, C] float32     y, dy [N, C] of any element type     gamma, beta [C], mean, rstd [N] float32 (null where not kept)
//          partials [ceil(N / 32), 2 C]: dgamma's, then dbeta's; null where both are frozen     dx null where the input needs no gradient
// Launch   forward: block 256, a warp a row, any grid.x; no shared memory     backward: block 256, a chunk of 32 rows a block and turn, any grid.x; 16 KB
// Traffic  forward reads 4·N·C bytes, writes N·C elements of y; rows of up to 256 channels stay in registers, longer ones are read again from the cache
//          backward reads 4·N·C bytes and N·C elements of dy once for all three gradients, writes 4·N·C (and reads them where it adds), N·C / 4 of partials
//          The residual stream comes out of the product before, finished (bias.cu says what that costs): there is no residual to add here.
// Work     8·N·C FLOP forward, 16·N·C backward: bound by memory bandwidth
// Access   forward: y, mean, rstd Write     backward: dx Write or Accumulate, partials Write (merge_row_sums: dgamma, dbeta Accumulate)
#include "rows.cuh"

template <class T> __device__ __forceinline__ void layer_norm_forward(
    T* __restrict__ y, float* __restrict__ mean, float* __restrict__ rstd, const float* __restrict__ x, const float* __restrict__ gamma, const float* __restrict__ beta,
    int N, int C, float eps)
{
    const int lane = threadIdx.x % WARP_SIZE;
    for (long long n = grid_thread() / WARP_SIZE; n < N; n += grid_threads() / WARP_SIZE) {
        const float* row = x + (size_t)n * C;
        T* out = y + (size_t)n * C;
        float m, r;
        if (C <= TILE_COLUMNS) {
            float v[LANE_COLUMNS], sum = 0.0f, squares = 0.0f;
            UNROLL for (int k = 0; k < LANE_COLUMNS; k++) {
                const int c = lane + WARP_SIZE * k;
                v[k] = c < C ? row[c] : 0.0f;
            }
            UNROLL for (int k = 0; k < LANE_COLUMNS; k++) sum += v[k];
            m = warp_sum(sum) / C;
            UNROLL for (int k = 0; k < LANE_COLUMNS; k++) {
                if (lane + WARP_SIZE * k < C) squares += (v[k] - m) * (v[k] - m);
            }
            r = 1.0f / sqrtf(warp_sum(squares) / C + eps);
            UNROLL for (int k = 0; k < LANE_COLUMNS; k++) {
                const int c = lane + WARP_SIZE * k;
                if (c < C) out[c] = rounded<T>((v[k] - m) * r * gamma[c] + beta[c]);
            }
        } else {
            float sum = 0.0f, squares = 0.0f;
            UNROLL_BY(8) for (int c = lane; c < C; c += WARP_SIZE) sum += row[c];
            m = warp_sum(sum) / C;
            UNROLL_BY(8) for (int c = lane; c < C; c += WARP_SIZE) squares += (row[c] - m) * (row[c] - m);
            r = 1.0f / sqrtf(warp_sum(squares) / C + eps);
            UNROLL_BY(4) for (int c = lane; c < C; c += WARP_SIZE) out[c] = rounded<T>((row[c] - m) * r * gamma[c] + beta[c]);
        }
        if (lane == 0 && mean) mean[n] = m;
        if (lane == 0 && rstd) rstd[n] = r;
    }
}

// mean(g) and mean(g n) of a row, every lane.
struct RowMeans { float g, gn; };

template <class T> __device__ __forceinline__ RowMeans row_means(const T* __restrict__ dy, const float* __restrict__ x, const float* __restrict__ gamma, float m, float r, int C)
{
    const int lane = threadIdx.x % WARP_SIZE;
    float sum = 0.0f, product = 0.0f;
    UNROLL_BY(4) for (int c = lane; c < C; c += WARP_SIZE) {
        const float g = to_float(dy[c]) * gamma[c];
        sum += g;
        product += g * ((x[c] - m) * r);
    }
    return {warp_sum(sum) / C, warp_sum(product) / C};
}

template <class T> __device__ __forceinline__ void layer_norm_backward(
    float* __restrict__ dx, float* __restrict__ partials, const T* __restrict__ dy, const float* __restrict__ x, const float* __restrict__ mean, const float* __restrict__ rstd,
    const float* __restrict__ gamma, int N, int C, int accumulate)
{
    __shared__ float board[2][ROW_WARPS * TILE_COLUMNS], means[ROW_WARPS][2 * ROW_TURNS];
    const int lane = threadIdx.x % WARP_SIZE, warp = threadIdx.x / WARP_SIZE;
    for (unsigned chunk = blockIdx.x; (size_t)chunk * CHUNK_ROWS < N; chunk += gridDim.x) {
        if (dx && C > TILE_COLUMNS) {
            for (int turn = 0; turn < ROW_TURNS; turn++) {
                const unsigned n = chunk * CHUNK_ROWS + turn * ROW_WARPS + warp;
                if (n >= N) continue;
                const RowMeans of = row_means(dy + (size_t)n * C, x + (size_t)n * C, gamma, mean[n], rstd[n], C);
                if (lane == 0) { means[warp][2 * turn] = of.g; means[warp][2 * turn + 1] = of.gn; }
            }
            __syncwarp();
        }
        for (int column = 0; column < C; column += TILE_COLUMNS) {
            const int columns = min(TILE_COLUMNS, C - column);
            float dgamma[LANE_COLUMNS] = {}, dbeta[LANE_COLUMNS] = {};
            UNROLL_BY(1) for (int turn = 0; turn < ROW_TURNS; turn++) {
                const unsigned n = chunk * CHUNK_ROWS + turn * ROW_WARPS + warp;
                if (n >= N) continue;
                const size_t at = (size_t)n * C + column;
                const float m = mean[n], r = rstd[n];
                float d[LANE_COLUMNS], normalised[LANE_COLUMNS], sum = 0.0f, product = 0.0f;
                UNROLL for (int k = 0; k < LANE_COLUMNS; k++) {
                    const int c = lane + WARP_SIZE * k;
                    d[k] = c < columns ? to_float(dy[at + c]) : 0.0f;
                    normalised[k] = c < columns ? (x[at + c] - m) * r : 0.0f;
                }
                UNROLL for (int k = 0; k < LANE_COLUMNS; k++) {
                    const int c = lane + WARP_SIZE * k;
                    dgamma[k] += d[k] * normalised[k];
                    dbeta[k] += d[k];
                    if (c < columns) d[k] *= gamma[column + c];
                    sum += d[k];
                    product += d[k] * normalised[k];
                }
                if (!dx) continue;
                const RowMeans of = C > TILE_COLUMNS ? RowMeans{means[warp][2 * turn], means[warp][2 * turn + 1]} : RowMeans{warp_sum(sum) / C, warp_sum(product) / C};
                UNROLL for (int k = 0; k < LANE_COLUMNS; k++) {
                    const int c = lane + WARP_SIZE * k;
                    if (c >= columns) continue;
                    const float gradient = r * (d[k] - of.g - normalised[k] * of.gn);
                    dx[at + c] = accumulate ? dx[at + c] + gradient : gradient;
                }
            }
            if (!partials) continue;
            float* sums = partials + (size_t)chunk * 2 * C + column;
            write_partials(sums, columns, dgamma, board[0]);
            write_partials(sums + C, columns, dbeta, board[1]);
        }
        __syncwarp();                                        // means may be written again
    }
}

#define INSTANCE(T) \
    extern "C" __global__ __launch_bounds__(256) \
    void layer_norm_forward_##T(T* __restrict__ y, float* __restrict__ mean, float* __restrict__ rstd, const float* __restrict__ x, const float* __restrict__ gamma, \
                                const float* __restrict__ beta, int N, int C, float eps) { layer_norm_forward<T>(y, mean, rstd, x, gamma, beta, N, C, eps); } \
    EXPORT_KERNEL(layer_norm_forward_##T) \
    extern "C" __global__ __launch_bounds__(256) \
    void layer_norm_backward_##T(float* __restrict__ dx, float* __restrict__ partials, const T* __restrict__ dy, const float* __restrict__ x, const float* __restrict__ mean, \
                                 const float* __restrict__ rstd, const float* __restrict__ gamma, int N, int C, int accumulate) \
    { layer_norm_backward<T>(dx, partials, dy, x, mean, rstd, gamma, N, C, accumulate); } \
    EXPORT_KERNEL(layer_norm_backward_##T)
INSTANCE(f32)
INSTANCE(f16)
INSTANCE(bf16)
#undef INSTANCE
