// favor_tensor_queries.cu: FAVOR+ on tensor cores, forward over the queries.
// Math     out_i = v0 + (f_i sum_j w_ij S'_j + eps sum_j S'_j) / (f_i sum_j w_ij z_j + eps sum_j z_j)     w_ij = 2^(d_ij - r_i)   f_i = 2^(r_i - max_j d_ij - h_i)
//          S' and z divided by n. r_i is the row's running maximum, so that w is near 1 and long queries (h large) lose nothing.
// Shapes   out, q [B, T, H, 64]   P' [FEATURE_ROWS, 64]   S', z in halves, totals and scalars as favor_tensor_halves leaves them   v0 [B, H, 64]   guard [H] or null
// Launch   128 threads, any one-dimensional grid, three blocks a multiprocessor (two on Turing); 28 KB static shared memory. A warp does 32 queries; P' and S' stream by.
// Traffic  reads and writes 128 bytes a token and head each; P' and S' (74 KB a 128 queries, 266 features) come from the L2 cache: 580 bytes a token and head
// Work     4 FEATURE_ROWS 64 FLOP and as many for z as an eighth of the second product, FEATURE_ROWS exponentials a token and head. Per 32 queries and 16
//          features: 34 products of 2,048 multiply-adds, 9 ldmatrix, 16 exponentials a lane. Prediction, never measured: twelve warps a multiprocessor; 60 to 70 % of
//          the dense f16 rate on A100, 40 to 50 % of what mma.sync reaches on H200, where exponentials bind.
// Access   out Write; guard: bit 4 is added where a denominator is not finite though the keys are
#include "favor_tensor.cuh"

#define QUERY_WARPS 4
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
#define QUERY_BLOCKS 2                                    // what Turing's shared memory holds
#else
#define QUERY_BLOCKS 3
#endif
#define QUERY_TOKENS (QUERY_WARPS * 32)

template <class H> __device__ __forceinline__ void favor_queries(
    H* __restrict__ out, int* guard, const H* __restrict__ q, const H* __restrict__ P, const H* __restrict__ S, const float* __restrict__ paddedZ,
    const float* __restrict__ totals, const float* __restrict__ scalars, const float* __restrict__ v0, int cells, int heads, int tokens)
{
    __shared__ __align__(16) FeatureRing<H> ring;
    const int warp = threadIdx.x / WARP_SIZE, lane = threadIdx.x % WARP_SIZE, g = lane >> 2, t = lane & 3;
    const int blocks = (tokens + QUERY_TOKENS - 1) / QUERY_TOKENS;
    const size_t row = (size_t)heads * HEAD_WIDTH;
    const int works = cells * heads * blocks;
    for (int work = blockIdx.x; work < works; work += gridDim.x) {
        const int head = work / blocks % heads;
        const size_t unit = work / blocks, base = (size_t)(work / blocks / heads) * tokens * row + head * HEAD_WIDTH;
        const int first = work % blocks * QUERY_TOKENS + warp * 32;
        const H* Ss = S + unit * FEATURE_ROWS * ROW_HALVES;
        const float* zs = paddedZ + unit * FEATURE_ROWS;
        __syncthreads();                                                  // the ring has been read
        fetch_chunk(ring, 0, 0, P, Ss, zs);
        unsigned x[2][4][4];
        float r[2][2], top[2][2], a[2][9][4];
        UNROLL for (int m = 0; m < 2; m++) {
            load_rows(x[m], q + base, row, first + m * 16, tokens);
            r[m][0] = r[m][1] = top[m][0] = top[m][1] = -INFINITY_F;
            UNROLL for (int n = 0; n < 9; n++) UNROLL for (int i = 0; i < 4; i++) a[m][n][i] = 0.0f;
        }
        for (int chunk = 0; chunk < CHUNKS; chunk++) {
            cp_async_wait<0>();
            __syncthreads();
            if (chunk + 1 < CHUNKS) fetch_chunk(ring, (chunk + 1) & 1, chunk + 1, P, Ss, zs);
            const H* ps = ring.p[chunk & 1];
            const H* ss = ring.s[chunk & 1];
            const int rows = min(CHUNK_FEATURES, FEATURE_ROWS - chunk * CHUNK_FEATURES);
            for (int j0 = 0; j0 < rows; j0 += 16) {
                float d[2][2][4];
                UNROLL for (int m = 0; m < 2; m++) UNROLL for (int n = 0; n < 2; n++) UNROLL for (int i = 0; i < 4; i++) d[m][n][i] = 0.0f;
                UNROLL for (int kk = 0; kk < 4; kk++) {
                    unsigned b[4];
                    rows_as_columns(b, ps + j0 * ROW_HALVES, kk * 16);
                    UNROLL for (int m = 0; m < 2; m++) UNROLL for (int n = 0; n < 2; n++) mma_16816<H>(d[m][n], x[m][kk], b + 2 * n);
                }
                const int feature = chunk * CHUNK_FEATURES + j0;
                if (feature + 16 > FEATURES)
                    UNROLL for (int n = 0; n < 2; n++) UNROLL for (int i = 0; i < 2; i++)
                        if (feature + n * 8 + 2 * t + i >= FEATURES) UNROLL for (int m = 0; m < 2; m++) d[m][n][i] = d[m][n][i + 2] = -INFINITY_F;
                bool rise = false;
                UNROLL for (int m = 0; m < 2; m++) UNROLL for (int half = 0; half < 2; half++) {
                    const float high = fmaxf(fmaxf(d[m][0][2 * half], d[m][0][2 * half + 1]), fmaxf(d[m][1][2 * half], d[m][1][2 * half + 1]));
                    top[m][half] = fmaxf(top[m][half], high);
                    rise |= high > r[m][half] + RISE;
                }
                if (__any_sync(FULL_WARP, rise)) {
                    UNROLL for (int m = 0; m < 2; m++) UNROLL for (int half = 0; half < 2; half++) {
                        const float now = quad_max(top[m][half]);
                        const float keep = now > r[m][half] ? ex2(r[m][half] - now) : 1.0f;
                        r[m][half] = now;
                        UNROLL for (int n = 0; n < 9; n++) UNROLL for (int i = 0; i < 2; i++) a[m][n][2 * half + i] *= keep;
                    }
                }
                unsigned w[2][4];                                         // accumulators of the first product are operand A of the second
                UNROLL for (int m = 0; m < 2; m++) UNROLL for (int i = 0; i < 4; i++)
                    w[m][i] = pack2<H>(ex2(d[m][i >> 1][2 * (i & 1)] - r[m][i & 1]), ex2(d[m][i >> 1][2 * (i & 1) + 1] - r[m][i & 1]));
                UNROLL for (int nn = 0; nn < 4; nn++) {
                    unsigned b[4];
                    rows_as_rows(b, ss + j0 * ROW_HALVES, nn * 16);
                    UNROLL for (int m = 0; m < 2; m++) UNROLL for (int n = 0; n < 2; n++) mma_16816<H>(a[m][nn * 2 + n], w[m], b + 2 * n);
                }
                unsigned b[2];
                extra_columns(b, ss + j0 * ROW_HALVES);
                UNROLL for (int m = 0; m < 2; m++) mma_16816<H>(a[m][8], w[m], b);
            }
        }
        const float totalZ = scalars[unit * 3], scale = scalars[unit * 3 + 1], scaleZ = scalars[unit * 3 + 2];
        bool bad = false;
        UNROLL for (int m = 0; m < 2; m++) UNROLL for (int half = 0; half < 2; half++) {
            const float f = ex2(r[m][half] - quad_max(top[m][half]) - half_norm<H>(x[m], half));
            const float sum = __shfl_sync(FULL_WARP, a[m][8][2 * half] + a[m][8][2 * half + 1] / LOW_PART, lane & ~3);
            const float den = f * scaleZ * sum + FEATURE_EPSILON * totalZ, inverse = 1.0f / den;
            const int token = first + m * 16 + g + 8 * half;
            if (token < tokens) {
                bad |= !(fabsf(den) < INFINITY_F);
                H* to = out + base + token * row;
                UNROLL for (int n = 0; n < 8; n++) {
                    const int c = n * 8 + 2 * t;
                    const float* total = totals + unit * HEAD_WIDTH + c;
                    const float* mean = v0 + unit * HEAD_WIDTH + c;
                    *(unsigned*)(to + c) = pack2<H>((f * scale * a[m][n][2 * half] + FEATURE_EPSILON * total[0]) * inverse + mean[0],
                                                    (f * scale * a[m][n][2 * half + 1] + FEATURE_EPSILON * total[1]) * inverse + mean[1]);
                }
            }
        }
        if (bad && guard && fabsf(totalZ) < INFINITY_F) atomicOr(guard + head, 4);
    }
}

#define INSTANCE(H) \
    extern "C" __global__ __launch_bounds__(QUERY_WARPS * WARP_SIZE, QUERY_BLOCKS) \
    void favor_tensor_queries_##H(H* __restrict__ out, int* guard, const H* __restrict__ q, const H* __restrict__ P, const H* __restrict__ S, const float* __restrict__ paddedZ, \
                                  const float* __restrict__ totals, const float* __restrict__ scalars, const float* __restrict__ v0, int cells, int heads, int tokens) \
    { favor_queries<H>(out, guard, q, P, S, paddedZ, totals, scalars, v0, cells, heads, tokens); } \
    EXPORT_KERNEL(favor_tensor_queries_##H)
INSTANCE(f16)
#if BFLOAT16_PRODUCTS
INSTANCE(bf16)
#endif
#undef INSTANCE
