// favor_tensor_query_gradients.cu: FAVOR+ on tensor cores, backward over the queries, and what the gradient of the sums needs of each.
// Math     S', z divided by n; w_ij = 2^(d_ij - h_i - max_j d_ij)   R_ij = S'_j . dO_i
//          den = sum_j w_ij z_j + eps sum_j z_j     dev = (sum_j w_ij R_ij + eps (sum_j S'_j) . dO_i) / den     [= dO . (out - v0), without the cancellation]
//          G_ij = w_ij (R_ij - z_j dev) / den       g_i = -eps ((sum_j S'_j) . dO_i - (sum_j z_j) dev) / den     [= sum_j G_ij in closed form]
//          dq_i = ln2 (sum_j G_ij P'_j - g_i P'_j*) - c^2 q_i g_i     j* the first feature where d is largest: the gradient goes through the maximum
//          Left for the sums: e = max d + h + log2 den     l = log2 den     dev
// Shapes   dq, q, dO [B, T, H, 64]   e, l, dev [B, H, T]   P' [FEATURE_ROWS, 64]   S' in halves, z, totals and scalars as favor_tensor_halves leaves them
// Launch   128 threads, any one-dimensional grid, two blocks a multiprocessor; 28 KB static shared memory. A warp does 32 queries and sees P' and S' twice:
//          first for den, dev and the maximum, then for G, with all recomputed.
// Traffic  reads 256, writes 140 bytes a token and head; P' and S' twice from the L2 cache: 1,200 bytes a token and head
// Work     10 FEATURE_ROWS 64 FLOP, 2 FEATURE_ROWS exponentials a token and head. Per 32 queries and 16 features: 32 and then 48 products of 2,048
//          multiply-adds, 20 ldmatrix, 32 exponentials a lane. Prediction, never measured: eight warps a multiprocessor; 55 to 65 % of the dense f16 rate on A100, 40 to 45 %
//          of what mma.sync reaches on H200.
// Access   all outputs Write
#include "favor_tensor.cuh"

#define GRADIENT_WARPS 4
#define GRADIENT_TOKENS (GRADIENT_WARPS * 32)
#define NO_MAXIMUM -1e30f                                 // finite, so that a difference of two is 0

// d = P' q and R = S' dO of 32 queries and 16 features; d of rows behind the last feature is -infinity.
template <class H> __device__ __forceinline__ void features_and_products(
    float d[2][2][4], float R[2][2][4], const unsigned x[2][4][4], const unsigned y[2][4][4], const H* p, const H* s, int feature)
{
    const int t = threadIdx.x & 3;
    UNROLL for (int m = 0; m < 2; m++) UNROLL for (int n = 0; n < 2; n++) UNROLL for (int i = 0; i < 4; i++) d[m][n][i] = R[m][n][i] = 0.0f;
    UNROLL for (int kk = 0; kk < 4; kk++) {
        unsigned b[4];
        rows_as_columns(b, p, kk * 16);
        UNROLL for (int m = 0; m < 2; m++) UNROLL for (int n = 0; n < 2; n++) mma_16816<H>(d[m][n], x[m][kk], b + 2 * n);
        rows_as_columns(b, s, kk * 16);
        UNROLL for (int m = 0; m < 2; m++) UNROLL for (int n = 0; n < 2; n++) mma_16816<H>(R[m][n], y[m][kk], b + 2 * n);
    }
    if (feature + 16 > FEATURES)
        UNROLL for (int n = 0; n < 2; n++) UNROLL for (int i = 0; i < 2; i++)
            if (feature + n * 8 + 2 * t + i >= FEATURES) UNROLL for (int m = 0; m < 2; m++) d[m][n][i] = d[m][n][i + 2] = -INFINITY_F;
}

template <class H> __device__ __forceinline__ void favor_query_gradients(
    H* __restrict__ dq, float* __restrict__ exponent, float* __restrict__ own, float* __restrict__ deviation, const H* __restrict__ q, const H* __restrict__ dout,
    const H* __restrict__ P, const H* __restrict__ S, const float* __restrict__ paddedZ, const float* __restrict__ totals, const float* __restrict__ scalars,
    int cells, int heads, int tokens)
{
    __shared__ __align__(16) FeatureRing<H> ring;
    const int warp = threadIdx.x / WARP_SIZE, lane = threadIdx.x % WARP_SIZE, g = lane >> 2, t = lane & 3;
    const int blocks = (tokens + GRADIENT_TOKENS - 1) / GRADIENT_TOKENS;
    const size_t row = (size_t)heads * HEAD_WIDTH;
    const int works = cells * heads * blocks;
    for (int work = blockIdx.x; work < works; work += gridDim.x) {
        const size_t unit = work / blocks, base = (size_t)(work / blocks / heads) * tokens * row + work / blocks % heads * HEAD_WIDTH;
        const int first = work % blocks * GRADIENT_TOKENS + warp * 32;
        const H* Ss = S + unit * FEATURE_ROWS * ROW_HALVES;
        const float* zs = paddedZ + unit * FEATURE_ROWS;
        __syncthreads();                                                  // the ring has been read
        fetch_chunk(ring, 0, 0, P, Ss, zs);
        unsigned x[2][4][4], y[2][4][4];
        UNROLL for (int m = 0; m < 2; m++) {
            load_rows(x[m], q + base, row, first + m * 16, tokens);
            load_rows(y[m], dout + base, row, first + m * 16, tokens);
        }
        // The chunk, of both passes one after another, that is used now; the next is fetched.
        auto turn = [&](int step) {
            cp_async_wait<0>();
            __syncthreads();
            if (step + 1 < 2 * CHUNKS) fetch_chunk(ring, (step + 1) & 1, (step + 1) % CHUNKS, P, Ss, zs);
        };
        // Each lane has features of its own, with a reference of its own.
        float top[2][2], r[2][2], den[2][2], dev[2][2];
        int best[2][2];
        UNROLL for (int m = 0; m < 2; m++) UNROLL for (int half = 0; half < 2; half++) {
            top[m][half] = r[m][half] = NO_MAXIMUM;
            den[m][half] = dev[m][half] = 0.0f;
            best[m][half] = 0;
        }
        for (int step = 0; step < CHUNKS; step++) {
            turn(step);
            const int rows = min(CHUNK_FEATURES, FEATURE_ROWS - step * CHUNK_FEATURES);
            for (int j0 = 0; j0 < rows; j0 += 16) {
                const int feature = step * CHUNK_FEATURES + j0;
                float d[2][2][4], R[2][2][4];
                features_and_products(d, R, x, y, ring.p[step & 1] + j0 * ROW_HALVES, ring.s[step & 1] + j0 * ROW_HALVES, feature);
                const float* z = ring.z[step & 1] + j0 + 2 * t;
                UNROLL for (int m = 0; m < 2; m++) UNROLL for (int half = 0; half < 2; half++) {
                    const float a = d[m][0][2 * half], b = d[m][0][2 * half + 1], c = d[m][1][2 * half], e = d[m][1][2 * half + 1];
                    const float high = fmaxf(fmaxf(a, b), fmaxf(c, e));
                    const int at = a == high ? 0 : b == high ? 1 : c == high ? 8 : 9;
                    best[m][half] = high > top[m][half] ? feature + 2 * t + at : best[m][half];
                    top[m][half] = fmaxf(top[m][half], high);
                    if (high > r[m][half] + RISE) {
                        const float keep = ex2(r[m][half] - high);
                        den[m][half] *= keep;
                        dev[m][half] *= keep;
                        r[m][half] = high;
                    }
                    UNROLL for (int n = 0; n < 2; n++) UNROLL for (int i = 0; i < 2; i++) {
                        const float w = ex2(d[m][n][2 * half + i] - r[m][half]);
                        den[m][half] += w * z[n * 8 + i];
                        dev[m][half] += w * R[m][n][2 * half + i];
                    }
                }
            }
        }
        const float totalZ = scalars[unit * 3], scale = scalars[unit * 3 + 1];
        float shift[2][2], outer[2][2], g_row[2][2];                      // of G's exponent; of G P'; g
        UNROLL for (int m = 0; m < 2; m++) UNROLL for (int half = 0; half < 2; half++) {
            float high = 0.0f, outside = 0.0f;
            UNROLL for (int kk = 0; kk < 4; kk++) UNROLL for (int i = 0; i < 2; i++) {
                const float low16 = low_half<H>(y[m][kk][half + 2 * i]), high16 = high_half<H>(y[m][kk][half + 2 * i]);
                const float* total = totals + unit * HEAD_WIDTH + kk * 16 + 2 * t + 8 * i;
                outside += low16 * total[0];
                outside += high16 * total[1];
                high = fmaxf(high, fmaxf(fabsf(low16), fabsf(high16)));
            }
            outside = quad_sum(outside);
            // R is up to 2^20 times this exponent, and z dev may be larger; f16 ends at 2^16.
            const int down = leading_exponent(quad_max(high)) + 12;
            const float h = half_norm<H>(x[m], half);
            const float reference = quad_max(r[m][half]);
            const float keep = ex2(r[m][half] - reference);
            const float sumZ = quad_sum(den[m][half] * keep), sumR = quad_sum(dev[m][half] * keep);
            UNROLL for (int offset = 1; offset <= 2; offset *= 2) {
                const float other = __shfl_xor_sync(FULL_WARP, top[m][half], offset);
                const int at = __shfl_xor_sync(FULL_WARP, best[m][half], offset);
                if (other > top[m][half] || (other == top[m][half] && at < best[m][half])) { top[m][half] = other; best[m][half] = at; }
            }
            const float f = ex2(reference - top[m][half] - h);
            const float denominator = f * scale * sumZ + FEATURE_EPSILON * totalZ, inverse = 1.0f / denominator;
            const float mean = (f * scale * sumR + FEATURE_EPSILON * outside) * inverse;
            g_row[m][half] = -FEATURE_EPSILON * (outside - totalZ * mean) * inverse;
            shift[m][half] = -top[m][half] - down;
            outer[m][half] = ex2(down - h) * inverse * scale * LN2;
            dev[m][half] = mean;
            const int token = first + m * 16 + g + 8 * half;
            if (t == 0 && token < tokens) {
                const float l = log2f(denominator);
                exponent[unit * tokens + token] = top[m][half] + h + l;
                own[unit * tokens + token] = l;
                deviation[unit * tokens + token] = mean;
            }
        }
        float a[2][8][4];
        UNROLL for (int m = 0; m < 2; m++) UNROLL for (int n = 0; n < 8; n++) UNROLL for (int i = 0; i < 4; i++) a[m][n][i] = 0.0f;
        for (int step = CHUNKS; step < 2 * CHUNKS; step++) {
            turn(step);
            const int chunk = step - CHUNKS, rows = min(CHUNK_FEATURES, FEATURE_ROWS - chunk * CHUNK_FEATURES);
            for (int j0 = 0; j0 < rows; j0 += 16) {
                float d[2][2][4], R[2][2][4];
                const H* ps = ring.p[step & 1] + j0 * ROW_HALVES;
                features_and_products(d, R, x, y, ps, ring.s[step & 1] + j0 * ROW_HALVES, chunk * CHUNK_FEATURES + j0);
                const float* z = ring.z[step & 1] + j0 + 2 * t;
                unsigned G[2][4];
                UNROLL for (int m = 0; m < 2; m++) UNROLL for (int i = 0; i < 4; i++) {
                    const int n = i >> 1, half = i & 1;
                    G[m][i] = pack2<H>(ex2(d[m][n][2 * half] + shift[m][half]) * (R[m][n][2 * half] - z[n * 8] * dev[m][half]),
                                       ex2(d[m][n][2 * half + 1] + shift[m][half]) * (R[m][n][2 * half + 1] - z[n * 8 + 1] * dev[m][half]));
                }
                UNROLL for (int nn = 0; nn < 4; nn++) {
                    unsigned b[4];
                    rows_as_rows(b, ps, nn * 16);
                    UNROLL for (int m = 0; m < 2; m++) UNROLL for (int n = 0; n < 2; n++) mma_16816<H>(a[m][nn * 2 + n], G[m], b + 2 * n);
                }
            }
        }
        UNROLL for (int m = 0; m < 2; m++) UNROLL for (int half = 0; half < 2; half++) {
            const int token = first + m * 16 + g + 8 * half;
            if (token < tokens) {
                const size_t at = base + token * row;
                const H* p = P + (size_t)best[m][half] * HEAD_WIDTH;
                UNROLL for (int n = 0; n < 8; n++) {
                    const int c = n * 8 + 2 * t;
                    float y2[2];
                    UNROLL for (int i = 0; i < 2; i++)
                        y2[i] = outer[m][half] * a[m][n][2 * half + i] - g_row[m][half] * (LN2 * to_float(p[c + i]) + C_SQUARED * to_float(q[at + c + i]));
                    *(unsigned*)(dq + at + c) = pack2<H>(y2[0], y2[1]);
                }
            }
        }
    }
}

#define INSTANCE(H) \
    extern "C" __global__ __launch_bounds__(GRADIENT_WARPS * WARP_SIZE, 2) \
    void favor_tensor_query_gradients_##H(H* __restrict__ dq, float* __restrict__ exponent, float* __restrict__ own, float* __restrict__ deviation, const H* __restrict__ q, \
                                          const H* __restrict__ dout, const H* __restrict__ P, const H* __restrict__ S, const float* __restrict__ paddedZ, \
                                          const float* __restrict__ totals, const float* __restrict__ scalars, int cells, int heads, int tokens) \
    { favor_query_gradients<H>(dq, exponent, own, deviation, q, dout, P, S, paddedZ, totals, scalars, cells, heads, tokens); } \
    EXPORT_KERNEL(favor_tensor_query_gradients_##H)
INSTANCE(f16)
#if BFLOAT16_PRODUCTS
INSTANCE(bf16)
#endif
#undef INSTANCE
