// favor_tensor_key_gradients.cu: FAVOR+ on tensor cores, backward over the keys and values.
// Math     G_tj = u_tj (dS_j . (v_t - v0) + dz_j)     dk_t = ln2 sum_j G_tj P'_j - c^2 k_t sum_j G_tj     dv_t = sum_j u_tj dS_j + eps sum_j dS_j
//          u_tj = 2^(d_tj - h_t - M). At the one element where M was found dk -= ln2 g P'_j, g = -eps n sum_heads sum_j dz_j (closed form of the sum of all G).
//          No gradient flows through v0: any constant gives the same result.
// Shapes   dk, dv, k, v [B, T, H, 64]   P' [FEATURE_ROWS, 64]   dS in halves, dz, totals and scalars as favor_tensor_halves leaves them   v0 [B, H, 64]   M [B]
//          place [B, 4]: cell, token, feature, head of M
// Launch   128 threads, any one-dimensional grid, three blocks a multiprocessor (two on Turing, or with more than 320 features); 28 KB static shared memory. A warp does 16 keys.
// Traffic  reads and writes 256 bytes a token and head each; P' and dS (74 KB a 64 keys, 266 features) from the L2 cache: 1,160 bytes a token and head
// Work     8 FEATURE_ROWS 64 FLOP, FEATURE_ROWS exponentials a token and head. Per 16 keys and 16 features: 32 products of 2,048 multiply-adds, 16 ldmatrix, 8
//          exponentials a lane: on A100 reading operands from shared memory takes as long as the products. Prediction, never measured: 45 to 55 % of the dense f16
//          rate on A100, 25 to 30 % of what mma.sync reaches on H200, whose shared memory binds.
// Access   dk, dv Write
#include "favor_tensor.cuh"

#define KEY_WARPS 4
#define KEY_TOKENS (KEY_WARPS * 16)
#if FEATURES > 320 || defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
#define KEY_BLOCKS 2                                      // three would not fit the registers, or Turing's shared memory
#else
#define KEY_BLOCKS 3
#endif

template <class H> __device__ __forceinline__ void favor_key_gradients(
    H* __restrict__ dk, H* __restrict__ dv, const H* __restrict__ k, const H* __restrict__ v, const H* __restrict__ P, const H* __restrict__ dS, const float* __restrict__ paddedZ,
    const float* __restrict__ totals, const float* __restrict__ scalars, const float* __restrict__ v0, const float* __restrict__ M, const int* __restrict__ place,
    int cells, int heads, int tokens)
{
    __shared__ __align__(16) FeatureRing<H> ring;
    const int warp = threadIdx.x / WARP_SIZE, lane = threadIdx.x % WARP_SIZE, g = lane >> 2, t = lane & 3;
    const int blocks = (tokens + KEY_TOKENS - 1) / KEY_TOKENS;
    const size_t row = (size_t)heads * HEAD_WIDTH;
    const int works = cells * heads * blocks;
    for (int work = blockIdx.x; work < works; work += gridDim.x) {
        const int head = work / blocks % heads;
        const size_t unit = work / blocks, cell = work / blocks / heads, base = cell * tokens * row + head * HEAD_WIDTH;
        const int first = work % blocks * KEY_TOKENS + warp * 16;
        const H* dSs = dS + unit * FEATURE_ROWS * ROW_HALVES;
        const float* zs = paddedZ + unit * FEATURE_ROWS;
        __syncthreads();                                                  // the ring has been read
        fetch_chunk(ring, 0, 0, P, dSs, zs);
        unsigned x[4][4], y[4][4];
        float r[2] = {-INFINITY_F, -INFINITY_F}, row_sum[2] = {0.0f, 0.0f};
        load_rows(x, k + base, row, first, tokens);
        load_rows(y, v + base, row, first, tokens);
        float highest = 0.0f;
        UNROLL for (int kk = 0; kk < 4; kk++) UNROLL for (int i = 0; i < 4; i++) {
            const float* mean = v0 + unit * HEAD_WIDTH + kk * 16 + 2 * t + 8 * (i >> 1);
            const float low = low_half<H>(y[kk][i]) - mean[0], high = high_half<H>(y[kk][i]) - mean[1];
            highest = fmaxf(highest, fmaxf(fabsf(low), fabsf(high)));
            y[kk][i] = pack2<H>(low, high);
        }
        float highestZ = 0.0f;
        for (int j = lane; j < FEATURES; j += WARP_SIZE) highestZ = fmaxf(highestZ, fabsf(zs[j]));
        highestZ = warp_max(highestZ);
        // |dS . (v - v0) + dz| of this quad's two rows is less than this; G is brought below 2^RISE, since f16 ends at 2^16.
        const float down = power_of_two(-1 - leading_exponent(2.0f * HEAD_WIDTH * quad_max(highest) + highestZ));
        float ak[8][4], av[8][4];
        UNROLL for (int n = 0; n < 8; n++) UNROLL for (int i = 0; i < 4; i++) ak[n][i] = av[n][i] = 0.0f;
        for (int chunk = 0; chunk < CHUNKS; chunk++) {
            cp_async_wait<0>();
            __syncthreads();
            if (chunk + 1 < CHUNKS) fetch_chunk(ring, (chunk + 1) & 1, chunk + 1, P, dSs, zs);
            const int rows = min(CHUNK_FEATURES, FEATURE_ROWS - chunk * CHUNK_FEATURES);
            for (int j0 = 0; j0 < rows; j0 += 16) {
                const H* ps = ring.p[chunk & 1] + j0 * ROW_HALVES;
                const H* ss = ring.s[chunk & 1] + j0 * ROW_HALVES;
                const float* z = ring.z[chunk & 1] + j0 + 2 * t;
                float d[2][4], f[2][4];
                UNROLL for (int n = 0; n < 2; n++) UNROLL for (int i = 0; i < 4; i++) d[n][i] = f[n][i] = 0.0f;
                UNROLL for (int kk = 0; kk < 4; kk++) {
                    unsigned b[4];
                    rows_as_columns(b, ps, kk * 16);
                    UNROLL for (int n = 0; n < 2; n++) mma_16816<H>(d[n], x[kk], b + 2 * n);
                    rows_as_columns(b, ss, kk * 16);
                    UNROLL for (int n = 0; n < 2; n++) mma_16816<H>(f[n], y[kk], b + 2 * n);
                }
                const int feature = chunk * CHUNK_FEATURES + j0;
                if (feature + 16 > FEATURES)
                    UNROLL for (int n = 0; n < 2; n++) UNROLL for (int i = 0; i < 2; i++)
                        if (feature + n * 8 + 2 * t + i >= FEATURES) d[n][i] = d[n][i + 2] = -INFINITY_F;
                float high[2];
                UNROLL for (int half = 0; half < 2; half++) high[half] = fmaxf(fmaxf(d[0][2 * half], d[0][2 * half + 1]), fmaxf(d[1][2 * half], d[1][2 * half + 1]));
                if (__any_sync(FULL_WARP, high[0] > r[0] + RISE || high[1] > r[1] + RISE)) {
                    UNROLL for (int half = 0; half < 2; half++) {
                        const float now = fmaxf(r[half], quad_max(high[half]));
                        const float keep = now > r[half] ? ex2(r[half] - now) : 1.0f;
                        r[half] = now;
                        row_sum[half] *= keep;
                        UNROLL for (int n = 0; n < 8; n++) UNROLL for (int i = 0; i < 2; i++) {
                            ak[n][2 * half + i] *= keep;
                            av[n][2 * half + i] *= keep;
                        }
                    }
                }
                unsigned u[4], G[4];
                UNROLL for (int i = 0; i < 4; i++) {
                    const int n = i >> 1, half = i & 1;
                    const float u0 = ex2(d[n][2 * half] - r[half]), u1 = ex2(d[n][2 * half + 1] - r[half]);
                    const float g0 = u0 * down * (f[n][2 * half] + z[n * 8]), g1 = u1 * down * (f[n][2 * half + 1] + z[n * 8 + 1]);
                    row_sum[half] += g0 + g1;
                    u[i] = pack2<H>(u0, u1);
                    G[i] = pack2<H>(g0, g1);
                }
                UNROLL for (int nn = 0; nn < 4; nn++) {
                    unsigned b[4];
                    rows_as_rows(b, ps, nn * 16);
                    UNROLL for (int n = 0; n < 2; n++) mma_16816<H>(ak[nn * 2 + n], G, b + 2 * n);
                    rows_as_rows(b, ss, nn * 16);
                    UNROLL for (int n = 0; n < 2; n++) mma_16816<H>(av[nn * 2 + n], u, b + 2 * n);
                }
            }
        }
        const float reference = M[cell] * LOG2E, scale = scalars[unit * 3 + 1];
        UNROLL for (int half = 0; half < 2; half++) {
            const float factor = ex2(r[half] - half_norm<H>(x, half) - reference), back = factor * scale / down, sum = quad_sum(row_sum[half]);
            const int token = first + g + 8 * half;
            if (token < tokens) {
                const bool hit = place[cell * 4 + 1] == token && place[cell * 4 + 3] == head;
                const int feature = hit ? place[cell * 4 + 2] : 0;
                float gradient = 0.0f;                                    // g of the cell's maximum
                if (hit) for (int i = 0; i < heads; i++) gradient -= FEATURE_EPSILON * tokens * scalars[(cell * heads + i) * 3];
                const size_t at = base + token * row;
                UNROLL for (int n = 0; n < 8; n++) {
                    const int c = n * 8 + 2 * t;
                    float key[2], value[2];
                    UNROLL for (int i = 0; i < 2; i++) {
                        key[i] = back * (LN2 * ak[n][2 * half + i] - C_SQUARED * to_float(k[at + c + i]) * sum);
                        if (hit) key[i] -= LN2 * gradient * to_float(P[feature * HEAD_WIDTH + c + i]);
                        value[i] = factor * scale * av[n][2 * half + i] + FEATURE_EPSILON * totals[unit * HEAD_WIDTH + c + i];
                    }
                    *(unsigned*)(dk + at + c) = pack2<H>(key[0], key[1]);
                    *(unsigned*)(dv + at + c) = pack2<H>(value[0], value[1]);
                }
            }
        }
    }
}

#define INSTANCE(H) \
    extern "C" __global__ __launch_bounds__(KEY_WARPS * WARP_SIZE, KEY_BLOCKS) \
    void favor_tensor_key_gradients_##H(H* __restrict__ dk, H* __restrict__ dv, const H* __restrict__ k, const H* __restrict__ v, const H* __restrict__ P, const H* __restrict__ dS, \
                                        const float* __restrict__ paddedZ, const float* __restrict__ totals, const float* __restrict__ scalars, const float* __restrict__ v0, \
                                        const float* __restrict__ M, const int* __restrict__ place, int cells, int heads, int tokens) \
    { favor_key_gradients<H>(dk, dv, k, v, P, dS, paddedZ, totals, scalars, v0, M, place, cells, heads, tokens); } \
    EXPORT_KERNEL(favor_tensor_key_gradients_##H)
INSTANCE(f16)
#if BFLOAT16_PRODUCTS
INSTANCE(bf16)
#endif
#undef INSTANCE
