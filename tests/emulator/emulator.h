// emulator.h: runs CUDA C++ kernels on the processor. Each CUDA thread is a fiber; the fibers of a block share an OS thread.
#pragma once
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <type_traits>
#include <utility>
#define __global__
#define __device__
#define __host__
#define __constant__ static const
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
#define __shared__ static thread_local
#define __CUDACC_HOST_SHIM__ 1
struct uint3 { unsigned x, y, z; };
struct dim3 { unsigned x = 1, y = 1, z = 1; };
struct alignas(8) float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(8) int2 { int x, y; };
struct alignas(16) int4 { int x, y, z, w; };
struct alignas(8) uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
static inline float2 make_float2(float a, float b) { return {a, b}; }
static inline float4 make_float4(float a, float b, float c, float d) { return {a, b, c, d}; }
static inline int4 make_int4(int a, int b, int c, int d) { return {a, b, c, d}; }
static inline uint4 make_uint4(unsigned a, unsigned b, unsigned c, unsigned d) { return {a, b, c, d}; }

namespace shim {
struct Vars { uint3 tid, bid; dim3 bdim, gdim; unsigned char* dyn; };
extern thread_local Vars* cur;                       // the running CUDA thread
void block_barrier(const char* file, int line);      // __syncthreads
int block_reduce(int pred, int op, const char* f, int l); // op 0 count, 1 and, 2 or
enum Op { SYNC, IDX, UP, DOWN, XOR, BALLOT, MATCH };
uint64_t warp_exchange(unsigned mask, uint64_t v, int arg, int width, Op op, const char* f, int l, int* lane_valid = nullptr);
[[noreturn]] void trap(const char* msg, const char* f, int l);
unsigned warp_active_mask();
typedef void (*Thunk)(void** args);
struct Registrar { Registrar(const char* name, Thunk t, int nargs, const unsigned char* kinds); };
// The host tags its arguments: 0 pointer, 1 32-bit integer, 2 64-bit integer, 3 float32 (ArgumentKind).
template <class A> constexpr unsigned char kind() { return std::is_pointer_v<A> ? 0 : std::is_same_v<A, float> ? 3 : std::is_integral_v<A> && sizeof(A) == 4 ? 1 : std::is_integral_v<A> && sizeof(A) == 8 ? 2 : 254; }
template <class F> struct Caller;
template <class... A> struct Caller<void (*)(A...)> {
    template <void (*F)(A...), size_t... I> static void go(void** a, std::index_sequence<I...>) { F(*static_cast<std::remove_reference_t<A>*>(a[I])...); }
    template <void (*F)(A...)> static void thunk(void** a) { go<F>(a, std::index_sequence_for<A...>{}); }
    static constexpr int n = sizeof...(A);
    static constexpr unsigned char kinds[] = {kind<A>()..., 255};
};
template <class T> inline uint64_t pack(T v) { static_assert(sizeof(T) <= 8, ""); uint64_t u = 0; memcpy(&u, &v, sizeof(T)); return u; }
template <class T> inline T unpack(uint64_t u) { T v; memcpy(&v, &u, sizeof(T)); return v; }
template <class T> inline T shfl(unsigned m, T v, int a, int w, Op op, const char* f, int l) { return unpack<T>(warp_exchange(m, pack(v), a, w, op, f, l)); }
}
#define EXPORT_KERNEL(name) static shim::Registrar shim_reg_##name(#name, &shim::Caller<decltype(&name)>::thunk<&name>, shim::Caller<decltype(&name)>::n, shim::Caller<decltype(&name)>::kinds);
#define DYNAMIC_SHARED(T, name) T* name = reinterpret_cast<T*>(shim::cur->dyn)
#define threadIdx (shim::cur->tid)
#define blockIdx (shim::cur->bid)
#define blockDim (shim::cur->bdim)
#define gridDim (shim::cur->gdim)
#define warpSize 32
#define __syncthreads() shim::block_barrier(__FILE__, __LINE__)
#define __syncthreads_count(p) shim::block_reduce(p, 0, __FILE__, __LINE__)
#define __syncthreads_and(p) shim::block_reduce(p, 1, __FILE__, __LINE__)
#define __syncthreads_or(p) shim::block_reduce(p, 2, __FILE__, __LINE__)
template <class... M> static inline unsigned shim_mask(M... m) { if constexpr (sizeof...(M) == 0) return 0xffffffffu; else return (unsigned)(m, ...); }
#define __syncwarp(...) (void)shim::warp_exchange(shim_mask(__VA_ARGS__), 0, 0, 32, shim::SYNC, __FILE__, __LINE__)
#define SHIM_W_(a, w, ...) w
#define SHIM_SHFL_(m, v, a, w, op) shim::shfl(m, v, a, w, op, __FILE__, __LINE__)
#define SHIM_PICK_(_1, _2, _3, _4, N, ...) N
#define __shfl_sync(m, v, ...) shim_shfl_(m, v, shim::IDX, __FILE__, __LINE__, __VA_ARGS__)
#define __shfl_up_sync(m, v, ...) shim_shfl_(m, v, shim::UP, __FILE__, __LINE__, __VA_ARGS__)
#define __shfl_down_sync(m, v, ...) shim_shfl_(m, v, shim::DOWN, __FILE__, __LINE__, __VA_ARGS__)
#define __shfl_xor_sync(m, v, ...) shim_shfl_(m, v, shim::XOR, __FILE__, __LINE__, __VA_ARGS__)
template <class T> static inline T shim_shfl_(unsigned m, T v, shim::Op op, const char* f, int l, int a, int w = 32) { return shim::shfl(m, v, a, w, op, f, l); }
#define __ballot_sync(m, p) ((unsigned)shim::warp_exchange(m, (p) ? 1 : 0, 0, 32, shim::BALLOT, __FILE__, __LINE__))
#define __any_sync(m, p) (__ballot_sync(m, p) != 0)
#define __all_sync(m, p) (__ballot_sync(m, p) == (m))
#define __activemask() shim::warp_active_mask()
#define __trap() shim::trap("__trap()", __FILE__, __LINE__)
static inline void __threadfence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
static inline void __threadfence_block() {}
#define LDG(p) (*(p))
template <class T> static inline T __ldg(const T* p) { return *p; }
// atomics: blocks run on several OS threads, so real atomics
template <class T> static inline T atomicAdd(T* p, T v) {
    if constexpr (std::is_integral_v<T>) return __atomic_fetch_add(p, v, __ATOMIC_RELAXED);
    else { T o, n; __atomic_load(p, &o, __ATOMIC_RELAXED); do { n = o + v; } while (!__atomic_compare_exchange(p, &o, &n, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)); return o; }
}
template <class T, class F> static inline T shim_rmw(T* p, F f) { T o, n; __atomic_load(p, &o, __ATOMIC_RELAXED); do { n = f(o); } while (!__atomic_compare_exchange(p, &o, &n, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)); return o; }
template <class T> static inline T atomicMax(T* p, T v) { return shim_rmw(p, [=](T o) { return o > v ? o : v; }); }
template <class T> static inline T atomicMin(T* p, T v) { return shim_rmw(p, [=](T o) { return o < v ? o : v; }); }
template <class T> static inline T atomicExch(T* p, T v) { return shim_rmw(p, [=](T) { return v; }); }
template <class T> static inline T atomicCAS(T* p, T c, T v) { return shim_rmw(p, [=](T o) { return o == c ? v : o; }); }
// math
static inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
#define __expf(x) expf(x)      /* glibc owns the names __expf, __logf, __sinf, __cosf, __powf */
#define __logf(x) logf(x)
#define __sinf(x) sinf(x)
#define __cosf(x) cosf(x)
#define __powf(x, y) powf(x, y)
static inline float __fdividef(float a, float b) { return a / b; }
static inline float __frcp_rn(float a) { return 1.0f / a; }
static inline float __fsqrt_rn(float a) { return sqrtf(a); }
static inline int __float_as_int(float f) { return shim::unpack<int>(shim::pack(f)); }
static inline float __int_as_float(int i) { return shim::unpack<float>(shim::pack(i)); }
static inline unsigned __float_as_uint(float f) { return (unsigned)__float_as_int(f); }
static inline float __uint_as_float(unsigned u) { return __int_as_float((int)u); }
static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __clz(int x) { return x ? __builtin_clz((unsigned)x) : 32; }
static inline int __ffs(int x) { return __builtin_ffs(x); }
static inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)(((uint64_t)a * b) >> 32); }
static inline int min(int a, int b) { return a < b ? a : b; }
static inline int max(int a, int b) { return a > b ? a : b; }
static inline unsigned min(unsigned a, unsigned b) { return a < b ? a : b; }
static inline unsigned max(unsigned a, unsigned b) { return a > b ? a : b; }
static inline long long min(long long a, long long b) { return a < b ? a : b; }
static inline float min(float a, float b) { return fminf(a, b); }
static inline float max(float a, float b) { return fmaxf(a, b); }
// thin device functions that are PTX on the GPU
static inline void cp_async16(void* s, const void* g) {
    if (((uintptr_t)s | (uintptr_t)g) & 15) shim::trap("cp_async16: misaligned address", __FILE__, __LINE__);
    memcpy(s, g, 16);
}
static inline void cp_async_commit() {}
template <int N> static inline void cp_async_wait() {}

#define UNROLL
#define UNROLL_BY(n)
#define REQUIRE_ALIGNED(p, bytes) do { if ((uintptr_t)(p) % (bytes)) shim::trap("misaligned address", __FILE__, __LINE__); } while (0)
#define INFINITY_F __builtin_inff()
#define NAN_F __builtin_nanf("")
struct f16 { unsigned short bits; };
struct bf16 { unsigned short bits; };
static inline float to_float(float x) { return x; }
static inline float to_float(f16 h) { _Float16 v; memcpy(&v, &h, 2); return (float)v; }
static inline float to_float(bf16 h) { return __uint_as_float((unsigned)h.bits << 16); }
static inline void from_float(float& h, float x) { h = x; }
static inline void from_float(f16& h, float x) { _Float16 v = (_Float16)x; memcpy(&h, &v, 2); }
static inline void from_float(bf16& h, float x)
{
    const unsigned u = __float_as_uint(x);
    h.bits = (unsigned short)((u & 0x7fffffffu) > 0x7f800000u ? 0x7fffu : (u + 0x7fffu + (u >> 16 & 1u)) >> 16);
}
static inline float emulated_ex2(float x) { return exp2f(x); }
#define ex2(x) emulated_ex2(x)
namespace warp_board {                       // the fibers of a block share an OS thread: one board a block
static thread_local const void* slot[32][32];
static inline unsigned warp() { return (shim::cur->tid.x + shim::cur->tid.y * shim::cur->bdim.x) >> 5; }
static inline unsigned lane() { return (shim::cur->tid.x + shim::cur->tid.y * shim::cur->bdim.x) & 31; }
}
#define BOARD_POST(p) (warp_board::slot[warp_board::warp()][warp_board::lane()] = (p))
// one rendezvous to post, one to leave: 60 times cheaper than shuffling the fragments
template <class H> static inline void mma_16816(float* d, const unsigned* a, const unsigned* b) {
    const unsigned f[6] = {a[0], a[1], a[2], a[3], b[0], b[1]};
    BOARD_POST(f); __syncwarp();
    const unsigned w = warp_board::warp(), l = warp_board::lane(), g = l >> 2, t = l & 3;
    auto A = [&](int r, int k) { const unsigned* x = (const unsigned*)warp_board::slot[w][(r & 7) * 4 + (k & 7) / 2]; H h; h.bits = (unsigned short)(x[(r >> 3) + 2 * (k >> 3)] >> 16 * (k & 1)); return to_float(h); };
    auto B = [&](int k, int n) { const unsigned* x = (const unsigned*)warp_board::slot[w][n * 4 + (k & 7) / 2]; H h; h.bits = (unsigned short)(x[4 + (k >> 3)] >> 16 * (k & 1)); return to_float(h); };
    float o[4] = {d[0], d[1], d[2], d[3]};
    for (int k = 0; k < 16; k++) {
        const float a0 = A(g, k), a1 = A(g + 8, k), b0 = B(k, 2 * t), b1 = B(k, 2 * t + 1);
        o[0] += a0 * b0; o[1] += a0 * b1; o[2] += a1 * b0; o[3] += a1 * b1;
    }
    __syncwarp();
    d[0] = o[0]; d[1] = o[1]; d[2] = o[2]; d[3] = o[3];
}
static inline void ldmatrix_x4_any(unsigned* r, const void* row, bool trans) {
    if ((uintptr_t)row & 15) shim::trap("ldmatrix: row address is not 16-byte aligned", __FILE__, __LINE__);
    BOARD_POST(row); __syncwarp();
    const unsigned w = warp_board::warp(), l = warp_board::lane();
    for (int m = 0; m < 4; m++) {
        auto at = [&](int i, int j) { return (unsigned)((const unsigned short*)warp_board::slot[w][8 * m + i])[j]; };
        r[m] = trans ? at(2 * (l & 3), l >> 2) | at(2 * (l & 3) + 1, l >> 2) << 16 : at(l >> 2, 2 * (l & 3)) | at(l >> 2, 2 * (l & 3) + 1) << 16;
    }
    __syncwarp();
}
#define ldmatrix_x4(r, p) ldmatrix_x4_any(r, p, false)
#define ldmatrix_x4_trans(r, p) ldmatrix_x4_any(r, p, true)
template <class H> static inline unsigned pack2(float lo, float hi) { H a, b; from_float(a, lo); from_float(b, hi); return a.bits | (unsigned)b.bits << 16; }
