// warp.h: shuffles, votes and barriers of a warp. Every lane that the mask names meets the others there.
#pragma once
#include "device_math.h"

namespace emulator {
enum class WarpOperation : unsigned char { Barrier, Shuffle, Vote, MultiplyF16, MultiplyBf16, LoadMatrices, LoadMatricesTransposed };
enum class Source : unsigned char { Lane, Up, Down, Xor };

EMULATOR_API void warp_barrier(unsigned mask, const char* file, int line);
EMULATOR_API uint64_t warp_shuffle(unsigned mask, uint64_t value, Source source, int by, int width, const char* file, int line);
EMULATOR_API unsigned warp_vote(unsigned mask, bool vote, const char* file, int line);

template <class T> inline T shuffle(unsigned mask, T value, Source source, int by, int width, const char* file, int line)
{
    static_assert(sizeof(T) <= 8, "a shuffle moves at most 8 bytes");
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof value);
    bits = warp_shuffle(mask, bits, source, by, width, file, line);
    memcpy(&value, &bits, sizeof value);
    return value;
}
}

#define EMULATOR_HERE const char *file = __builtin_FILE(), int line = __builtin_LINE()
template <class T> static inline T __shfl_sync(unsigned mask, T v, int lane, int width = 32, EMULATOR_HERE) { return emulator::shuffle(mask, v, emulator::Source::Lane, lane, width, file, line); }
template <class T> static inline T __shfl_up_sync(unsigned mask, T v, unsigned by, int width = 32, EMULATOR_HERE) { return emulator::shuffle(mask, v, emulator::Source::Up, (int)by, width, file, line); }
template <class T> static inline T __shfl_down_sync(unsigned mask, T v, unsigned by, int width = 32, EMULATOR_HERE) { return emulator::shuffle(mask, v, emulator::Source::Down, (int)by, width, file, line); }
template <class T> static inline T __shfl_xor_sync(unsigned mask, T v, int by, int width = 32, EMULATOR_HERE) { return emulator::shuffle(mask, v, emulator::Source::Xor, by, width, file, line); }
static inline void __syncwarp(unsigned mask = 0xffffffffu, EMULATOR_HERE) { emulator::warp_barrier(mask, file, line); }
static inline unsigned __ballot_sync(unsigned mask, int vote, EMULATOR_HERE) { return emulator::warp_vote(mask, vote != 0, file, line); }
static inline int __any_sync(unsigned mask, int vote, EMULATOR_HERE) { return emulator::warp_vote(mask, vote != 0, file, line) != 0; }
static inline int __all_sync(unsigned mask, int vote, EMULATOR_HERE) { return emulator::warp_vote(mask, vote == 0, file, line) == 0; }
