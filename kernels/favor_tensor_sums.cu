// favor_tensor_sums.cu: FAVOR+ on tensor cores, the sums over tokens: of the keys, and the gradient of those sums over the queries.
// Math     keys     A_j = sum_t u_tj v_t     s_j = sum_t u_tj               u_tj = 2^(d_tj - h_t)      M = max d over tokens and features, and its place
//          queries  A_j = sum_i w_ij dO_i    s_j = sum_i w_ij dev_i         w_ij = 2^(d_ij - e_i)      e_i = max d + h_i + log2 den_i
//          Row FEATURES has weights of its own: 1 for keys (A = sum v), 2^(-l_i) = 1 / den_i for queries.
//          Row j is kept as 2^r_j times what is stored, r_j the row's running largest exponent, so that halves lose nothing to the range of a head.
// Shapes   x (k or q), y (v or dO) [B, T, H, 64]   P' [FEATURE_ROWS, 64]   e, l, dev [B, H, T]
//          a split's part: sums [FEATURE_ROWS, 64], extra [FEATURE_ROWS, 2] (s = first + second / LOW_PART), reference r [FEATURE_ROWS]; maximum, place a group
// Launch   256 threads, any one-dimensional grid, one block a multiprocessor; 37 KB static shared memory
//          Warps own two tiles of 16 features, in registers all along; where a 17th is left over, the warps take turns at it every 16 tokens.
// Traffic  reads 256 bytes a token and head, writes 71 KB a split (266 features): 400 bytes a token and head in all
// Work     4 FEATURE_ROWS 64 FLOP, FEATURE_ROWS exponentials a token and head, and 1/8 more products for s. Per 16 tokens and warp, 266 features: 36 products
//          of 2,048 multiply-adds, 8 ldmatrix, 17 exponentials a lane. Prediction, never measured: with two warps a scheduler the order of instructions has to hide
//          latency; 55 to 65 % of the dense f16 rate on A100, 35 to 45 % of what mma.sync reaches on H200, where exponentials (16 a clock) take as long as products.
// Access   all outputs Write
#include "favor_tensor.cuh"

#define SUM_WARPS 8
#define ROTATES (FEATURE_TILES > 1 && FEATURE_TILES % (2 * SUM_WARPS) == 1)
#define GROUPS (ROTATES ? FEATURE_TILES / (2 * SUM_WARPS) : (FEATURE_TILES + 2 * SUM_WARPS - 1) / (2 * SUM_WARPS))
#define WARP_TILES (ROTATES ? 3 : 2)
#define MAY_BE_LAST(m) (!ROTATES || (m) == 2)               // the last tile of features holds row FEATURES and what pads

// One split's own tiles and, where tiles rotate, the parts of the left-over tile, warp by warp.
struct RotatedParts {
    float sums[SUM_WARPS][16][HEAD_WIDTH];
    float extra[SUM_WARPS][16][2];
    float reference[SUM_WARPS][16];
};
template <class H> struct TokenRing {
    H x[2][STAGE_TOKENS * ROW_HALVES];
    H y[2][STAGE_TOKENS * ROW_HALVES];
};
template <class H> union SumsShared {
    TokenRing<H> tokens;
    RotatedParts parts;
};

template <class H> __device__ __forceinline__ void fetch_tokens(TokenRing<H>& ring, int slot, const H* __restrict__ x, const H* __restrict__ y, size_t row, int first, int last)
{
    for (int i = threadIdx.x; i < STAGE_TOKENS * 8 * 2; i += SUM_WARPS * WARP_SIZE) {
        const int which = i >= STAGE_TOKENS * 8, token = (i >> 3) % STAGE_TOKENS, column = (i & 7) * 8;
        H* to = (which ? ring.y[slot] : ring.x[slot]) + token * ROW_HALVES + column;
        if (first + token < last) cp_async16(to, (which ? y : x) + (size_t)(first + token) * row + column);
        else *(uint4*)to = uint4{0u, 0u, 0u, 0u};
    }
    cp_async_commit();
}

// h of the rounded keys, four threads a token; infinity where there is no token.
template <class H> __device__ __forceinline__ void key_exponents(float* exponents, float* own, const H* keys, int first, int last)
{
    const int token = threadIdx.x >> 2;
    float squares = 0.0f;
    UNROLL for (int i = 0; i < 2; i++) {
        const uint4 x = *(const uint4*)(keys + token * ROW_HALVES + (threadIdx.x & 3) * 16 + i * 8);
        const unsigned pairs[4] = {x.x, x.y, x.z, x.w};
        UNROLL for (int j = 0; j < 4; j++) {
            const float low = low_half<H>(pairs[j]), high = high_half<H>(pairs[j]);
            squares += low * low;
            squares += high * high;
        }
    }
    squares = quad_sum(squares);
    if ((threadIdx.x & 3) == 0) {
        exponents[token] = first + token < last ? squares * HALF_NORM : INFINITY_F;
        own[token] = first + token < last ? 0.0f : INFINITY_F;
    }
}

template <class H, bool QUERIES> __device__ __forceinline__ void favor_sums(
    float* __restrict__ sums, float* __restrict__ extra, float* __restrict__ reference, float* __restrict__ maximum, int* __restrict__ maximumAt,
    const H* __restrict__ x, const H* __restrict__ y, const H* __restrict__ P, const float* __restrict__ queryExponent, const float* __restrict__ queryOwn,
    const float* __restrict__ deviation, int cells, int heads, int tokens)
{
    __shared__ __align__(16) SumsShared<H> shared;
    __shared__ float exponents[STAGE_TOKENS], own[STAGE_TOKENS], best[SUM_WARPS];
    __shared__ int bestAt[SUM_WARPS];
    // A shuffled value is known to be one in all lanes: what hangs on it alone is compiled without divergence.
    const int tid = threadIdx.x, warp = __shfl_sync(FULL_WARP, tid / WARP_SIZE, 0), lane = tid % WARP_SIZE, g = lane >> 2, t = lane & 3;
    const int splits = (tokens + SPLIT_TOKENS - 1) / SPLIT_TOKENS;
    const size_t row = (size_t)heads * HEAD_WIDTH;
    const unsigned ones = pack2<H>(1.0f, 1.0f);
    const int works = cells * heads * splits * GROUPS;
    for (int work = blockIdx.x; work < works; work += gridDim.x) {
        const int group = work % GROUPS, split = work / GROUPS % splits;
        const int head = work / GROUPS / splits % heads;
        const size_t unit = work / GROUPS / splits, base = (size_t)(work / GROUPS / splits / heads) * tokens * row + head * HEAD_WIDTH;
        const int first = split * SPLIT_TOKENS, last = min(tokens, first + SPLIT_TOKENS);
        const bool rotating = ROTATES && group == GROUPS - 1;
        // First feature of each tile of this warp, the third being the left-over one; a small projection leaves warps without.
        const int own_tile = (group * SUM_WARPS + warp) * 2;
        int base_feature[WARP_TILES];
        bool works_on[WARP_TILES];
        UNROLL for (int m = 0; m < WARP_TILES; m++) {
            base_feature[m] = (m < 2 ? own_tile + m : FEATURE_TILES - 1) * 16;
            works_on[m] = ROTATES || own_tile + m < FEATURE_TILES;
        }
        unsigned p[WARP_TILES][4][4];
        float a[WARP_TILES][8][4], s[WARP_TILES][4], r[WARP_TILES][2], top = -INFINITY_F;
        int where = 0x7fffffff;
        UNROLL for (int m = 0; m < WARP_TILES; m++) {
            load_rows(p[m], P, HEAD_WIDTH, base_feature[m], FEATURE_ROWS);
            r[m][0] = r[m][1] = -INFINITY_F;
            UNROLL for (int i = 0; i < 4; i++) s[m][i] = 0.0f;
            UNROLL for (int n = 0; n < 8; n++) UNROLL for (int i = 0; i < 4; i++) a[m][n][i] = 0.0f;
        }
        float e = INFINITY_F, l = INFINITY_F, dev = 0.0f;                 // of one query of the next stage
        auto fetch_query = [&](int t0) {
            const bool is = t0 + tid < last;
            const size_t at = unit * tokens + t0 + tid;
            e = is ? queryExponent[at] : INFINITY_F;
            l = is ? queryOwn[at] : INFINITY_F;
            dev = is ? deviation[at] : 0.0f;
        };
        __syncthreads();                                                  // the parts of the work before have been read
        if (QUERIES) {
            if (tid < 2 * STAGE_TOKENS) *(uint4*)(shared.tokens.y[0] + tid * ROW_HALVES + HEAD_WIDTH) = uint4{0u, 0u, 0u, 0u};
            if (tid < STAGE_TOKENS) fetch_query(first);
        }
        fetch_tokens(shared.tokens, 0, x + base, y + base, row, first, last);
        int slot = 0;
        for (int t0 = first; t0 < last; t0 += STAGE_TOKENS, slot ^= 1) {
            H* xs = shared.tokens.x[slot];
            H* ys = shared.tokens.y[slot];
            cp_async_wait<0>();
            __syncthreads();
            if (t0 + STAGE_TOKENS < last) fetch_tokens(shared.tokens, slot ^ 1, x + base, y + base, row, t0 + STAGE_TOKENS, last);
            if (!QUERIES) key_exponents(exponents, own, xs, t0, last);
            else if (tid < STAGE_TOKENS) {
                exponents[tid] = e;
                own[tid] = l;
                *(unsigned*)(ys + tid * ROW_HALVES + HEAD_WIDTH) = pack2<H>(dev, (dev - to_float(rounded<H>(dev))) * LOW_PART);
                fetch_query(t0 + STAGE_TOKENS);
            }
            __syncthreads();
            for (int j0 = 0; j0 < STAGE_TOKENS && t0 + j0 < last; j0 += 16) {
                const bool mine = rotating && (t0 + j0 >> 4) % SUM_WARPS == warp;
                if (ROTATES) works_on[WARP_TILES - 1] = mine;
                float d[WARP_TILES][2][4], h[4], f[4];
                UNROLL for (int m = 0; m < WARP_TILES; m++) UNROLL for (int n = 0; n < 2; n++) UNROLL for (int i = 0; i < 4; i++) d[m][n][i] = 0.0f;
                UNROLL for (int kk = 0; kk < 4; kk++) {
                    unsigned b[4];
                    rows_as_columns(b, xs + j0 * ROW_HALVES, kk * 16);
                    UNROLL for (int m = 0; m < WARP_TILES; m++) if (works_on[m]) UNROLL for (int n = 0; n < 2; n++) mma_16816<H>(d[m][n], p[m][kk], b + 2 * n);
                }
                UNROLL for (int i = 0; i < 4; i++) {
                    h[i] = exponents[j0 + (i >> 1) * 8 + 2 * t + (i & 1)];
                    f[i] = own[j0 + (i >> 1) * 8 + 2 * t + (i & 1)];
                }
                if (!QUERIES) {
                    if (t0 + j0 + 16 > last)
                        UNROLL for (int m = 0; m < WARP_TILES; m++) UNROLL for (int n = 0; n < 2; n++) UNROLL for (int i = 0; i < 4; i++)
                            if (f[2 * n + (i & 1)] == INFINITY_F) d[m][n][i] = -INFINITY_F;
                    float high = -INFINITY_F;
                    UNROLL for (int m = 0; m < WARP_TILES; m++) if (works_on[m]) UNROLL for (int n = 0; n < 2; n++) UNROLL for (int i = 0; i < 4; i++)
                        if (!MAY_BE_LAST(m) || base_feature[m] + g + 8 * (i >> 1) < FEATURES) high = fmaxf(high, d[m][n][i]);
                    if (high > top) {                                     // rare after the first tiles: a running maximum rises ln(tokens) times
                        top = high;
                        where = 0x7fffffff;
                        UNROLL for (int m = 0; m < WARP_TILES; m++) if (works_on[m]) UNROLL for (int n = 0; n < 2; n++) UNROLL for (int i = 0; i < 4; i++) {
                            const int feature = base_feature[m] + g + 8 * (i >> 1);
                            if (d[m][n][i] == high && (!MAY_BE_LAST(m) || feature < FEATURES)) where = min(where, (t0 + j0 + n * 8 + 2 * t + (i & 1)) * FEATURE_ROWS + feature);
                        }
                    }
                }
                float row_top[WARP_TILES][2];
                bool rise = false;
                UNROLL for (int m = 0; m < WARP_TILES; m++) if (works_on[m]) UNROLL for (int half = 0; half < 2; half++) {
                    const bool weights = MAY_BE_LAST(m) && base_feature[m] + g + 8 * half == FEATURES;
                    UNROLL for (int n = 0; n < 2; n++) UNROLL for (int i = 0; i < 2; i++) {
                        float& value = d[m][n][2 * half + i];
                        value = weights ? -f[2 * n + i] : value - h[2 * n + i];
                    }
                    row_top[m][half] = fmaxf(fmaxf(d[m][0][2 * half], d[m][0][2 * half + 1]), fmaxf(d[m][1][2 * half], d[m][1][2 * half + 1]));
                    rise |= row_top[m][half] > r[m][half] + RISE;
                }
                if (__any_sync(FULL_WARP, rise)) {
                    UNROLL for (int m = 0; m < WARP_TILES; m++) if (works_on[m]) UNROLL for (int half = 0; half < 2; half++) {
                        const float now = fmaxf(r[m][half], quad_max(row_top[m][half]));
                        const float keep = now > r[m][half] ? ex2(r[m][half] - now) : 1.0f;
                        r[m][half] = now;
                        UNROLL for (int i = 0; i < 2; i++) {
                            s[m][2 * half + i] *= keep;
                            UNROLL for (int n = 0; n < 8; n++) a[m][n][2 * half + i] *= keep;
                        }
                    }
                }
                unsigned u[WARP_TILES][4];                                // accumulators of the first product are operand A of the second
                UNROLL for (int m = 0; m < WARP_TILES; m++) if (works_on[m]) UNROLL for (int i = 0; i < 4; i++)
                    u[m][i] = pack2<H>(ex2(d[m][i >> 1][2 * (i & 1)] - r[m][i & 1]), ex2(d[m][i >> 1][2 * (i & 1) + 1] - r[m][i & 1]));
                UNROLL for (int nn = 0; nn < 4; nn++) {
                    unsigned b[4];
                    rows_as_rows(b, ys + j0 * ROW_HALVES, nn * 16);
                    UNROLL for (int m = 0; m < WARP_TILES; m++) if (works_on[m]) UNROLL for (int n = 0; n < 2; n++) mma_16816<H>(a[m][nn * 2 + n], u[m], b + 2 * n);
                }
                unsigned b[2] = {g == 0 ? ones : 0u, g == 0 ? ones : 0u};
                if (QUERIES) extra_columns(b, ys + j0 * ROW_HALVES);
                UNROLL for (int m = 0; m < WARP_TILES; m++) if (works_on[m]) mma_16816<H>(s[m], u[m], b);
            }
        }
        const size_t part = (unit * splits + split) * FEATURE_ROWS;
        UNROLL for (int m = 0; m < 2; m++) if (works_on[m]) UNROLL for (int half = 0; half < 2; half++) {
            const size_t at = part + base_feature[m] + g + 8 * half;
            if (t == 0) {
                reference[at] = r[m][half];
                *(float2*)(extra + at * 2) = float2{s[m][2 * half], s[m][2 * half + 1]};
            }
            UNROLL for (int n = 0; n < 8; n++) *(float2*)(sums + at * HEAD_WIDTH + n * 8 + 2 * t) = float2{a[m][n][2 * half], a[m][n][2 * half + 1]};
        }
        __syncthreads();                                                  // the tokens have been read
        if (rotating) {
            UNROLL for (int half = 0; half < 2; half++) {
                const int local = g + 8 * half;
                if (t == 0) {
                    shared.parts.reference[warp][local] = r[WARP_TILES - 1][half];
                    UNROLL for (int i = 0; i < 2; i++) shared.parts.extra[warp][local][i] = s[WARP_TILES - 1][2 * half + i];
                }
                UNROLL for (int n = 0; n < 8; n++) UNROLL for (int i = 0; i < 2; i++) shared.parts.sums[warp][local][n * 8 + 2 * t + i] = a[WARP_TILES - 1][n][2 * half + i];
            }
        }
        if (!QUERIES) {
            UNROLL for (int offset = WARP_SIZE / 2; offset > 0; offset /= 2) {
                const float other = __shfl_xor_sync(FULL_WARP, top, offset);
                const int at = __shfl_xor_sync(FULL_WARP, where, offset);
                if (other > top || (other == top && at < where)) { top = other; where = at; }
            }
            if (lane == 0) { best[warp] = top; bestAt[warp] = where; }
        }
        __syncthreads();
        if (rotating) {
            const int local = tid >> 4, column = (tid & 15) * 4;
            float now = -INFINITY_F, total[4] = {0.0f, 0.0f, 0.0f, 0.0f}, more[2] = {0.0f, 0.0f};
            for (int w = 0; w < SUM_WARPS; w++) now = fmaxf(now, shared.parts.reference[w][local]);
            for (int w = 0; w < SUM_WARPS; w++) {
                const float scale = ex2(shared.parts.reference[w][local] - now);
                UNROLL for (int i = 0; i < 4; i++) total[i] += scale * shared.parts.sums[w][local][column + i];
                UNROLL for (int i = 0; i < 2; i++) more[i] += scale * shared.parts.extra[w][local][i];
            }
            const size_t at = part + (FEATURE_TILES - 1) * 16 + local;
            *(float4*)(sums + at * HEAD_WIDTH + column) = float4{total[0], total[1], total[2], total[3]};
            if (column == 0) {
                reference[at] = now;
                *(float2*)(extra + at * 2) = float2{more[0], more[1]};
            }
        }
        if (!QUERIES && tid == 0) {
            for (int w = 1; w < SUM_WARPS; w++)
                if (best[w] > top || (best[w] == top && bestAt[w] < where)) { top = best[w]; where = bestAt[w]; }
            maximum[work] = top;
            maximumAt[work] = where;
        }
    }
}

#define INSTANCE(H) \
    extern "C" __global__ __launch_bounds__(SUM_WARPS * WARP_SIZE, 1) \
    void favor_tensor_key_sums_##H(float* __restrict__ sums, float* __restrict__ extra, float* __restrict__ reference, float* __restrict__ maximum, int* __restrict__ maximumAt, \
                                   const H* __restrict__ k, const H* __restrict__ v, const H* __restrict__ P, int cells, int heads, int tokens) \
    { favor_sums<H, false>(sums, extra, reference, maximum, maximumAt, k, v, P, nullptr, nullptr, nullptr, cells, heads, tokens); } \
    EXPORT_KERNEL(favor_tensor_key_sums_##H) \
    extern "C" __global__ __launch_bounds__(SUM_WARPS * WARP_SIZE, 1) \
    void favor_tensor_query_sums_##H(float* __restrict__ sums, float* __restrict__ extra, float* __restrict__ reference, const H* __restrict__ q, const H* __restrict__ dout, \
                                     const H* __restrict__ P, const float* __restrict__ exponent, const float* __restrict__ own, const float* __restrict__ deviation, \
                                     int cells, int heads, int tokens) \
    { favor_sums<H, true>(sums, extra, reference, nullptr, nullptr, q, dout, P, exponent, own, deviation, cells, heads, tokens); } \
    EXPORT_KERNEL(favor_tensor_query_sums_##H)
INSTANCE(f16)
#if BFLOAT16_PRODUCTS
INSTANCE(bf16)
#endif
#undef INSTANCE
