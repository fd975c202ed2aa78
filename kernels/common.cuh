// common.cuh: the device primitives that all kernels share. Self-contained: no CUDA header. Under the emulator (CANAL_EMULATOR) the same names
// have host bodies in tests/emulator; no kernel outside this file uses inline assembly or an intrinsic.
#pragma once

#define WARP_SIZE 32
#define FULL_WARP 0xffffffffu
#define LOG2E 1.4426950408889634f
#define LN2 0.6931471805599453f

typedef float f32;

#ifdef CANAL_EMULATOR
#include "emulator.h"
#else

#define EXPORT_KERNEL(name)                       // registers the kernel with the emulator; nothing on the GPU
#define REQUIRE_ALIGNED(p, bytes)                 // stops the emulator where an address is not a multiple of bytes; nothing on the GPU
#define UNROLL _Pragma("unroll")
#define CANAL_PRAGMA(text) _Pragma(#text)
#define UNROLL_BY(n) CANAL_PRAGMA(unroll n)       // so that the loads of n turns are in flight together
#define INFINITY_F __int_as_float(0x7f800000)
#define NAN_F __int_as_float(0x7fc00000)
#define DYNAMIC_SHARED(T, name) extern __shared__ __align__(16) unsigned char name##_raw[]; T* name = reinterpret_cast<T*>(name##_raw)

// Storage of half precision numbers; arithmetic is float32.
struct f16 { unsigned short bits; };
struct bf16 { unsigned short bits; };

__device__ __forceinline__ float to_float(float x) { return x; }
__device__ __forceinline__ float to_float(f16 h) { float f; asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(h.bits)); return f; }
__device__ __forceinline__ float to_float(bf16 h) { return __uint_as_float((unsigned)h.bits << 16); }

// Rounded to nearest, ties to even.
__device__ __forceinline__ void from_float(float& h, float x) { h = x; }
__device__ __forceinline__ void from_float(f16& h, float x) { asm("cvt.rn.f16.f32 %0, %1;" : "=h"(h.bits) : "f"(x)); }
#if __CUDA_ARCH__ >= 800
__device__ __forceinline__ void from_float(bf16& h, float x) { asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(h.bits) : "f"(x)); }
#else
__device__ __forceinline__ void from_float(bf16& h, float x)
{
    const unsigned u = __float_as_uint(x);
    h.bits = (unsigned short)((u & 0x7fffffffu) > 0x7f800000u ? 0x7fffu : (u + 0x7fffu + (u >> 16 & 1u)) >> 16);
}
#endif

// The same number, of which the compiler knows nothing: what depends on it is computed here, not ahead of a loop in registers of its own.
__device__ __forceinline__ int not_ahead(int x) { asm volatile("" : "+r"(x)); return x; }

// 2^x, at most 2 ulp off, results below the smallest normal number are 0 (PTX ISA, ex2.approx.ftz).
__device__ __forceinline__ float ex2(float x) { float y; asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x)); return y; }

// Two halves in a register, the first in the low 16 bits.
template <class H> __device__ __forceinline__ unsigned pack2(float low, float high)
{
    H a, b;
    from_float(a, low);
    from_float(b, high);
    return a.bits | (unsigned)b.bits << 16;
}

// d += a b on tensor cores, one warp: a 16 x 16 row-major, b 16 x 8 column-major, d 16 x 8 float32; fragments as in the PTX ISA (mma.m16n8k16).
template <class H> __device__ __forceinline__ void mma_16816(float* d, const unsigned* a, const unsigned* b);
#if __CUDA_ARCH__ >= 800
template <> __device__ __forceinline__ unsigned pack2<f16>(float low, float high) { unsigned r; asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low)); return r; }
template <> __device__ __forceinline__ unsigned pack2<bf16>(float low, float high) { unsigned r; asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low)); return r; }
template <> __device__ __forceinline__ void mma_16816<f16>(float* d, const unsigned* a, const unsigned* b)
{
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
template <> __device__ __forceinline__ void mma_16816<bf16>(float* d, const unsigned* a, const unsigned* b)
{
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
__device__ __forceinline__ void cp_async16(void* shared, const void* global)
{
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" :: "r"((unsigned)__cvta_generic_to_shared(shared)), "l"(global));
}
__device__ __forceinline__ void cp_async_commit() { asm volatile("cp.async.commit_group;"); }
template <int N> __device__ __forceinline__ void cp_async_wait() { asm volatile("cp.async.wait_group %0;" :: "n"(N) : "memory"); }
#else
// Turing: f16 alone, two products of depth 8, and copies that are done when they return.
#if __CUDA_ARCH__ >= 750
template <> __device__ __forceinline__ void mma_16816<f16>(float* d, const unsigned* a, const unsigned* b)
{
    UNROLL for (int half = 0; half < 2; half++)
        asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3},{%4,%5},{%6},{%0,%1,%2,%3};"
            : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a[2 * half]), "r"(a[2 * half + 1]), "r"(b[half]));
}
#endif
__device__ __forceinline__ void cp_async16(void* shared, const void* global) { *(uint4*)shared = *(const uint4*)global; }
__device__ __forceinline__ void cp_async_commit() {}
template <int N> __device__ __forceinline__ void cp_async_wait() {}
#endif

#if __CUDA_ARCH__ >= 750
// Four 8 x 8 matrices of halves from shared memory; lane i gives the address of row i % 8 of matrix i / 8, 16-byte aligned.
__device__ __forceinline__ void ldmatrix_x4(unsigned* r, const void* row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
        : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"((unsigned)__cvta_generic_to_shared(row)) : "memory");
}
__device__ __forceinline__ void ldmatrix_x4_trans(unsigned* r, const void* row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
        : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"((unsigned)__cvta_generic_to_shared(row)) : "memory");
}
#endif
#endif

// ---- the same text on both sides ----

// A T rounded from float32.
template <class T> __device__ __forceinline__ T rounded(float x) { T h; from_float(h, x); return h; }

// This thread's number in a one-dimensional grid, and the number of threads: the start and the step of a grid-stride loop.
__device__ __forceinline__ long long grid_thread() { return (long long)blockIdx.x * blockDim.x + threadIdx.x; }
__device__ __forceinline__ long long grid_threads() { return (long long)gridDim.x * blockDim.x; }

// The column of a grid-stride loop over rows of so many columns: it moves by a constant step, so that there is one division a thread and none an element.
struct GridColumn {
    int c, step, columns;
    __device__ __forceinline__ explicit GridColumn(int columns) : c((int)(grid_thread() % columns)), step((int)(grid_threads() % columns)), columns(columns) {}
    __device__ __forceinline__ void next() { c = step < columns - c ? c + step : c - (columns - step); }
};

// Eight elements as float32, by loads and stores of 16 bytes. The address must be a multiple of 16: tensors are views, ask wide() first.
__device__ __forceinline__ void load8(float* x, const f32* p)
{
    REQUIRE_ALIGNED(p, 16);
    const float4 a = reinterpret_cast<const float4*>(p)[0], b = reinterpret_cast<const float4*>(p)[1];
    x[0] = a.x; x[1] = a.y; x[2] = a.z; x[3] = a.w;
    x[4] = b.x; x[5] = b.y; x[6] = b.z; x[7] = b.w;
}
template <class H> __device__ __forceinline__ void load8(float* x, const H* p)
{
    REQUIRE_ALIGNED(p, 16);
    const uint4 u = *reinterpret_cast<const uint4*>(p);
    const unsigned pairs[4] = {u.x, u.y, u.z, u.w};
    UNROLL for (int j = 0; j < 4; j++) {
        H low, high;
        low.bits = (unsigned short)pairs[j];
        high.bits = (unsigned short)(pairs[j] >> 16);
        x[2 * j] = to_float(low);
        x[2 * j + 1] = to_float(high);
    }
}
__device__ __forceinline__ void store8(f32* p, const float* x)
{
    REQUIRE_ALIGNED(p, 16);
    reinterpret_cast<float4*>(p)[0] = make_float4(x[0], x[1], x[2], x[3]);
    reinterpret_cast<float4*>(p)[1] = make_float4(x[4], x[5], x[6], x[7]);
}
template <class H> __device__ __forceinline__ void store8(H* p, const float* x)
{
    REQUIRE_ALIGNED(p, 16);
    *reinterpret_cast<uint4*>(p) = make_uint4(pack2<H>(x[0], x[1]), pack2<H>(x[2], x[3]), pack2<H>(x[4], x[5]), pack2<H>(x[6], x[7]));
}
// Whether addresses are multiples of 16 (null is).
__device__ __forceinline__ bool wide(const void* a, const void* b = nullptr, const void* c = nullptr)
{
    return (((size_t)a | (size_t)b | (size_t)c) & 15) == 0;
}

// Sum, or maximum, over a warp without shared memory. Every lane gets it; all 32 lanes must call. The tree is fixed, so are the bits.
__device__ __forceinline__ float warp_sum(float v)
{
    UNROLL for (int offset = WARP_SIZE / 2; offset > 0; offset /= 2) v += __shfl_xor_sync(FULL_WARP, v, offset);
    return v;
}
__device__ __forceinline__ float warp_max(float v)
{
    UNROLL for (int offset = WARP_SIZE / 2; offset > 0; offset /= 2) v = fmaxf(v, __shfl_xor_sync(FULL_WARP, v, offset));
    return v;
}
__device__ __forceinline__ double warp_sum(double v)
{
    UNROLL for (int offset = WARP_SIZE / 2; offset > 0; offset /= 2) v += __shfl_xor_sync(FULL_WARP, v, offset);
    return v;
}

__device__ __forceinline__ int warp_min(int v)
{
    UNROLL for (int offset = WARP_SIZE / 2; offset > 0; offset /= 2) v = min(v, __shfl_xor_sync(FULL_WARP, v, offset));
    return v;
}

// Sum over a block of whole warps, one-dimensional; every thread gets it. board holds a T a warp and may be used again at once.
template <class T> __device__ __forceinline__ T block_sum(T v, T* board)
{
    v = warp_sum(v);
    if (threadIdx.x % WARP_SIZE == 0) board[threadIdx.x / WARP_SIZE] = v;
    __syncthreads();
    T total = board[0];
    for (int w = 1; w < (int)blockDim.x / WARP_SIZE; w++) total += board[w];
    __syncthreads();
    return total;
}

// The same over neighbouring lanes of a warp, 1, 2, 4 ... 32 of them: several short rows share a warp. All 32 lanes must call.
template <class T> __device__ __forceinline__ T group_sum(T v, int lanes)
{
    for (int offset = lanes / 2; offset > 0; offset /= 2) v += __shfl_xor_sync(FULL_WARP, v, offset);
    return v;
}
__device__ __forceinline__ float group_max(float v, int lanes)
{
    for (int offset = lanes / 2; offset > 0; offset /= 2) v = fmaxf(v, __shfl_xor_sync(FULL_WARP, v, offset));
    return v;
}

// Lanes for a row of K elements: the power of two that holds it, at most a warp. A function of shape alone.
__device__ __forceinline__ int row_lanes(int K)
{
    int lanes = 1;
    while (lanes < K && lanes < WARP_SIZE) lanes *= 2;
    return lanes;
}

// log sum exp(z[k] / temperature) over a row that `lanes` lanes share, in float64; every lane gets it. NaN where any z is. All 32 lanes must call.
__device__ __forceinline__ double log_sum_exp(const float* z, int K, double temperature, int lane, int lanes)
{
    float largest = -INFINITY_F;
    for (int k = lane; k < K; k += lanes) largest = fmaxf(largest, z[k]);
    largest = group_max(largest, lanes);
    double sum = 0;
    for (int k = lane; k < K; k += lanes) sum += exp(((double)z[k] - largest) / temperature);
    return largest / temperature + log(group_sum(sum, lanes));
}

// Maximum (NaN does not count), or minimum, over a block of whole warps, one-dimensional; every thread gets it. board holds a number a warp and may be used again at once.
__device__ __forceinline__ float block_max(float v, float* board)
{
    v = warp_max(v);
    if (threadIdx.x % WARP_SIZE == 0) board[threadIdx.x / WARP_SIZE] = v;
    __syncthreads();
    float largest = board[0];
    for (int w = 1; w < (int)blockDim.x / WARP_SIZE; w++) largest = fmaxf(largest, board[w]);
    __syncthreads();
    return largest;
}
__device__ __forceinline__ int block_min(int v, int* board)
{
    v = warp_min(v);
    if (threadIdx.x % WARP_SIZE == 0) board[threadIdx.x / WARP_SIZE] = v;
    __syncthreads();
    int lowest = board[0];
    for (int w = 1; w < (int)blockDim.x / WARP_SIZE; w++) lowest = min(lowest, board[w]);
    __syncthreads();
    return lowest;
}
