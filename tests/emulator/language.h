// language.h: what CUDA adds to C++: qualifiers, vector types, built-in variables, shared memory, kernels that the host can find.
#pragma once
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <type_traits>
#include <utility>

#define __global__
#define __device__
#define __constant__ static const
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
// A block stays on one operating system thread, and another block begins there only when it has ended.
#define __shared__ static thread_local
#define UNROLL
#define UNROLL_BY(n)
#define warpSize 32
#ifdef CANAL_EMULATOR                    // in kernels alone: the standard library's headers use the name
#define __noinline__ __attribute__((noinline))
#endif

struct uint3 { unsigned x, y, z; };
struct alignas(8) float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(8) int2 { int x, y; };
struct alignas(16) int4 { int x, y, z, w; };
struct alignas(8) uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
static inline float2 make_float2(float x, float y) { return {x, y}; }
static inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
static inline int2 make_int2(int x, int y) { return {x, y}; }
static inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
static inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
static inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

// Called by kernel programs, defined in the runtime; all else is hidden.
#define EMULATOR_API __attribute__((visibility("default")))

namespace emulator {

// What every thread of a block sees alike.
struct Surroundings {
    uint3 block;
    uint3 block_size, grid_size;
    unsigned char* dynamic_shared;
    bool perturbs_exponential, truncates_products;
};

// At a fixed distance from the thread pointer, so that reading threadIdx costs a load and not a call.
#define EMULATOR_FIXED __attribute__((tls_model("initial-exec")))
extern EMULATOR_API __thread const uint3* thread_index EMULATOR_FIXED;
extern EMULATOR_API __thread Surroundings surroundings EMULATOR_FIXED;

// Ends the launch with a message that names kernel, block, thread and this place. Does not return; nothing on the fiber's stack is unwound.
[[noreturn]] EMULATOR_API void fail(const char* file, int line, const char* format, ...) __attribute__((format(printf, 3, 4)));
EMULATOR_API void block_barrier(const char* file, int line);

// Where a program's memory lies. Static shared memory, as the calling thread has it: its thread-local variables are nothing else.
struct ProgramMemory {
    unsigned char* static_shared;
    size_t static_bytes;
    uintptr_t begin, end;              // code and constants
};
extern "C" void emulated_memory(ProgramMemory& memory);

// A kernel as the host finds it: by the symbol emulated_NAME of its program.
struct Kernel {
    const char* name;
    void (*run)(void** arguments);
    int count;
    const unsigned char* kinds;
    void (*memory)(ProgramMemory& memory);
};

// The host tags its arguments: 0 pointer, 1 32-bit integer, 2 64-bit integer, 3 float32 (ArgumentKind).
template <class A> constexpr unsigned char kind()
{
    static_assert(std::is_pointer_v<A> || std::is_same_v<A, float> || (std::is_integral_v<A> && (sizeof(A) == 4 || sizeof(A) == 8)),
        "a kernel takes pointers, 32-bit and 64-bit integers and float32");
    return std::is_pointer_v<A> ? 0 : std::is_same_v<A, float> ? 3 : sizeof(A) == 4 ? 1 : 2;
}
template <class F> struct Signature;
template <class... A> struct Signature<void (*)(A...)> {
    template <void (*F)(A...), size_t... I> static void call(void** a, std::index_sequence<I...>) { F(*static_cast<std::remove_reference_t<A>*>(a[I])...); }
    template <void (*F)(A...)> static void run(void** a) { call<F>(a, std::index_sequence_for<A...>{}); }
    static constexpr int count = sizeof...(A);
    static constexpr unsigned char kinds[] = {kind<std::remove_cv_t<A>>()..., 255};
};
} // namespace emulator

#define EXPORT_KERNEL(name) \
    extern "C" __attribute__((visibility("default"), used)) const emulator::Kernel emulated_##name = { \
        #name, &emulator::Signature<decltype(&name)>::run<&name>, emulator::Signature<decltype(&name)>::count, emulator::Signature<decltype(&name)>::kinds, \
        &emulator::emulated_memory}; \
    static const emulator::Kernel* const listed_##name __attribute__((section("emulated_kernels"), used)) = &emulated_##name;
#define DYNAMIC_SHARED(T, name) T* name = reinterpret_cast<T*>(emulator::surroundings.dynamic_shared)
#define threadIdx (*emulator::thread_index)
#define blockIdx (emulator::surroundings.block)
#define blockDim (emulator::surroundings.block_size)
#define gridDim (emulator::surroundings.grid_size)
#define REQUIRE_ALIGNED(p, bytes) do { if (reinterpret_cast<uintptr_t>(p) % (bytes) != 0) emulator::fail(__FILE__, __LINE__, "misaligned address %p", (const void*)(p)); } while (0)
#define __trap() emulator::fail(__FILE__, __LINE__, "__trap()")

static inline void __syncthreads(const char* file = __builtin_FILE(), int line = __builtin_LINE()) { emulator::block_barrier(file, line); }
template <class T> static inline T __ldg(const T* p) { return *p; }
