// device_math.h: CUDA's arithmetic functions that the C library does not have under the same name.
#pragma once
#include "language.h"

namespace emulator {
template <class To, class From> inline To same_bits(From from)
{
    static_assert(sizeof(To) == sizeof(From), "");
    To to;
    memcpy(&to, &from, sizeof to);
    return to;
}
EMULATOR_API float power_of_two(float x);
}

#define INFINITY_F __builtin_inff()
#define NAN_F __builtin_nanf("")

static inline int __float_as_int(float x) { return emulator::same_bits<int>(x); }
static inline unsigned __float_as_uint(float x) { return emulator::same_bits<unsigned>(x); }
static inline float __int_as_float(int x) { return emulator::same_bits<float>(x); }
static inline float __uint_as_float(unsigned x) { return emulator::same_bits<float>(x); }

static inline float ex2(float x) { return emulator::power_of_two(x); }
static inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
static inline float __fdividef(float a, float b) { return a / b; }
static inline float __frcp_rn(float x) { return 1.0f / x; }
static inline float __fsqrt_rn(float x) { return sqrtf(x); }
static inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
static inline float __fadd_rn(float a, float b) { return a + b; }
static inline float __fmul_rn(float a, float b) { return a * b; }
// Macros: glibc has functions of these names.
#define __expf(x) expf(x)
#define __logf(x) logf(x)

static inline int not_ahead(int x) { return x; }
static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __clz(int x) { return x ? __builtin_clz((unsigned)x) : 32; }
static inline int __ffs(int x) { return __builtin_ffs(x); }
static inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)(((uint64_t)a * b) >> 32); }
static inline int min(int a, int b) { return a < b ? a : b; }
static inline int max(int a, int b) { return a > b ? a : b; }
static inline unsigned min(unsigned a, unsigned b) { return a < b ? a : b; }
static inline unsigned max(unsigned a, unsigned b) { return a > b ? a : b; }
static inline long long min(long long a, long long b) { return a < b ? a : b; }
static inline long long max(long long a, long long b) { return a > b ? a : b; }
static inline float min(float a, float b) { return fminf(a, b); }
static inline float max(float a, float b) { return fmaxf(a, b); }
