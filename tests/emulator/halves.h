// halves.h: storage of half precision numbers; arithmetic is float32. Rounded to nearest, ties to even, as the device does.
#pragma once
#include "device_math.h"

struct f16 { unsigned short bits; };
struct bf16 { unsigned short bits; };

static inline float to_float(float x) { return x; }
static inline float to_float(f16 h) { return (float)emulator::same_bits<_Float16>(h); }
static inline float to_float(bf16 h) { return __uint_as_float((unsigned)h.bits << 16); }

static inline void from_float(float& h, float x) { h = x; }
static inline void from_float(f16& h, float x) { h = emulator::same_bits<f16>((_Float16)x); }
static inline void from_float(bf16& h, float x)
{
    const unsigned u = __float_as_uint(x);
    h.bits = (unsigned short)((u & 0x7fffffffu) > 0x7f800000u ? 0x7fffu : (u + 0x7fffu + (u >> 16 & 1u)) >> 16);
}

template <class H> static inline unsigned pack2(float low, float high)
{
    H a, b;
    from_float(a, low);
    from_float(b, high);
    return a.bits | (unsigned)b.bits << 16;
}
