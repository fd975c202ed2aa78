// favor_tensor.cuh: sizes, scales and tile moves of the FAVOR+ kernels on tensor cores (favor_tensor_*.cu), heads of width 64.
//
// The centred form of Choromanski et al. 2021 (ICLR, Performer), in base 2. P' = c log2(e) P, d = P' x, h = c^2 log2(e) |x|^2 / 2, so that
// u = 2^(d - h - M) for a key, w = 2^(d - h - max d) for a query; every sum over features adds eps in closed form, never to a feature.
// Features live in registers, as the accumulators of one product and the operand of the next, and never leave the multiprocessor.
#pragma once
#include "common.cuh"

#ifndef FEATURES
#error FEATURES, the number of random features, is a define of the program
#endif
#if defined(CANAL_EMULATOR) || __CUDA_ARCH__ >= 800
#define BFLOAT16_PRODUCTS 1                               // Turing has products of f16 alone
#endif
#define HEAD_WIDTH 64
#define C_SQUARED 0.125f                                  // c = HEAD_WIDTH^(-1/4)
#define HALF_NORM (0.5f * C_SQUARED * LOG2E)              // h / |x|^2
#define FEATURE_EPSILON 1e-4f                             // eps of the feature map, reference code of the paper

// Numbers of blocks of work are ints: each stands for more than 4 KB of memory.
#define FEATURE_TILES ((FEATURES + 16) / 16)              // tiles of 16, with room for row FEATURES, which sums with weights that are no features
#define FEATURE_ROWS (FEATURE_TILES * 16)
#define ROW_HALVES 72                                     // from one row to the next in shared memory: 36 words, so that ldmatrix meets no bank twice
#define SPLIT_TOKENS 512                                  // sums over tokens run within splits of a cell; the splits are merged in their order
#define STAGE_TOKENS 64                                   // tokens in shared memory at a time, twice
#define CHUNK_FEATURES 48                                 // features in shared memory at a time, twice
#define CHUNKS ((FEATURE_ROWS + CHUNK_FEATURES - 1) / CHUNK_FEATURES)
#define RISE 8.0f                                         // sums are rescaled only when their largest exponent rises by this: features stay below 2^8
#define LOW_PART 2048.0f                                  // a number in two halves: high, and what it lacks times this

// The maximum over the four lanes that share a row of an accumulator; likewise the sum.
__device__ __forceinline__ float quad_max(float x)
{
    x = fmaxf(x, __shfl_xor_sync(FULL_WARP, x, 1));
    return fmaxf(x, __shfl_xor_sync(FULL_WARP, x, 2));
}
__device__ __forceinline__ float quad_sum(float x)
{
    x += __shfl_xor_sync(FULL_WARP, x, 1);
    return x + __shfl_xor_sync(FULL_WARP, x, 2);
}

// Exponent of a float32's leading bit, kept to where what is scaled by its inverse stays far from both ends; 0 of 0, infinity and NaN.
__device__ __forceinline__ int leading_exponent(float x)
{
    const int biased = (int)(__float_as_uint(x) >> 23 & 255u);
    return biased == 0 || biased == 255 ? 0 : max(-60, min(100, biased - 127));
}
__device__ __forceinline__ float power_of_two(int exponent) { return __uint_as_float((unsigned)(127 + exponent) << 23); }

// The two halves of a register.
template <class H> __device__ __forceinline__ float low_half(unsigned x) { H h; h.bits = (unsigned short)x; return to_float(h); }
template <class H> __device__ __forceinline__ float high_half(unsigned x) { H h; h.bits = (unsigned short)(x >> 16); return to_float(h); }

// The operand A of 16 rows by 64 columns in registers, from rows in device memory; rows from limit on are zero. Row addresses are 4-byte aligned.
template <class H> __device__ __forceinline__ void load_rows(unsigned fragment[4][4], const H* __restrict__ rows, size_t stride, int first, int limit)
{
    const int lane = threadIdx.x % WARP_SIZE, g = lane >> 2, t = lane & 3;
    UNROLL for (int kk = 0; kk < 4; kk++) UNROLL for (int i = 0; i < 4; i++) {
        const int row = first + g + 8 * (i & 1);
        fragment[kk][i] = row < limit ? *(const unsigned*)(rows + row * stride + kk * 16 + 2 * t + 8 * (i >> 1)) : 0u;
    }
}

// h of a row of such an operand: the row of the upper half (0) or the lower (1) that this lane's quad shares.
template <class H> __device__ __forceinline__ float half_norm(const unsigned fragment[4][4], int half)
{
    float squares = 0.0f;
    UNROLL for (int kk = 0; kk < 4; kk++) UNROLL for (int i = 0; i < 2; i++) {
        const float low = low_half<H>(fragment[kk][half + 2 * i]), high = high_half<H>(fragment[kk][half + 2 * i]);
        squares += low * low;
        squares += high * high;
    }
    return quad_sum(squares) * HALF_NORM;
}

// The operand B of two products side by side, from 16 rows of halves in shared memory: the rows are the columns of B (b, b + 2: rows 0-7, 8-15).
template <class H> __device__ __forceinline__ void rows_as_columns(unsigned* b, const H* rows, int column)
{
    const int lane = threadIdx.x % WARP_SIZE;
    ldmatrix_x4(b, rows + ((lane & 7) + (lane >> 4) * 8) * ROW_HALVES + column + (lane >> 3 & 1) * 8);
}

// The same where the rows are the rows of B (b, b + 2: columns 0-7, 8-15 from column on).
template <class H> __device__ __forceinline__ void rows_as_rows(unsigned* b, const H* rows, int column)
{
    const int lane = threadIdx.x % WARP_SIZE;
    ldmatrix_x4_trans(b, rows + (lane & 15) * ROW_HALVES + column + (lane >> 4) * 8);
}

// The eight columns behind a row's 64: b alone.
template <class H> __device__ __forceinline__ void extra_columns(unsigned* b, const H* rows)
{
    unsigned twice[4];
    ldmatrix_x4_trans(twice, rows + (threadIdx.x % WARP_SIZE & 15) * ROW_HALVES + HEAD_WIDTH);
    b[0] = twice[0];
    b[1] = twice[1];
}

// Rows of P', of S' or dS, and z or dz in shared memory, CHUNK_FEATURES at a time, the next on its way while one is used.
template <class H> struct FeatureRing {
    H p[2][CHUNK_FEATURES * ROW_HALVES];
    H s[2][CHUNK_FEATURES * ROW_HALVES];
    float z[2][CHUNK_FEATURES];
};
template <class H> __device__ __forceinline__ void fetch_chunk(FeatureRing<H>& ring, int slot, int chunk, const H* __restrict__ P, const H* __restrict__ S, const float* __restrict__ z)
{
    const int first = chunk * CHUNK_FEATURES, rows = min(CHUNK_FEATURES, FEATURE_ROWS - first);
    // Unrolled, their addresses would cost the caller registers that it needs.
#pragma unroll 1
    for (int i = threadIdx.x; i < rows * 8; i += blockDim.x) cp_async16(ring.p[slot] + (i >> 3) * ROW_HALVES + (i & 7) * 8, P + (size_t)first * HEAD_WIDTH + (size_t)i * 8);
#pragma unroll 1
    for (int i = threadIdx.x; i < rows * 9; i += blockDim.x) cp_async16(ring.s[slot] + i * 8, S + (size_t)first * ROW_HALVES + (size_t)i * 8);
#pragma unroll 1
    for (int i = threadIdx.x; i < rows / 4; i += blockDim.x) cp_async16(ring.z[slot] + i * 4, z + first + i * 4);
    cp_async_commit();
}
