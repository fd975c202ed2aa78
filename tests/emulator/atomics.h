// atomics.h: atomic operations on integers. Real ones, since the blocks of a launch may be spread over operating system threads. None on
// floating point: sums must not depend on the order of threads.
#pragma once
#include "language.h"

namespace emulator {
enum class Atomic : unsigned char { Add, Max, Min, Exchange, CompareAndSwap, Or };
EMULATOR_API uint64_t atomic(Atomic operation, void* address, int bytes, bool is_signed, uint64_t value, uint64_t expected);

template <class T> inline T atomic(Atomic operation, T* address, T value, T expected = 0)
{
    static_assert(std::is_integral_v<T> && (sizeof(T) == 4 || sizeof(T) == 8), "atomics are for 32-bit and 64-bit integers");
    return (T)atomic(operation, address, sizeof(T), std::is_signed_v<T>, (uint64_t)value, (uint64_t)expected);
}
}

template <class T> static inline T atomicAdd(T* address, std::common_type_t<T> value) { return emulator::atomic<T>(emulator::Atomic::Add, address, value); }
template <class T> static inline T atomicMax(T* address, std::common_type_t<T> value) { return emulator::atomic<T>(emulator::Atomic::Max, address, value); }
template <class T> static inline T atomicMin(T* address, std::common_type_t<T> value) { return emulator::atomic<T>(emulator::Atomic::Min, address, value); }
template <class T> static inline T atomicExch(T* address, std::common_type_t<T> value) { return emulator::atomic<T>(emulator::Atomic::Exchange, address, value); }
template <class T> static inline T atomicOr(T* address, std::common_type_t<T> value) { return emulator::atomic<T>(emulator::Atomic::Or, address, value); }
template <class T> static inline T atomicCAS(T* address, std::common_type_t<T> expected, std::common_type_t<T> value) { return emulator::atomic<T>(emulator::Atomic::CompareAndSwap, address, value, expected); }
