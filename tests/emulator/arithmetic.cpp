// arithmetic.cpp: the device's own functions that are worth more than a line.
#include "worker.h"
#include "atomics.h"

namespace emulator {

// PTX ISA, ex2.approx.ftz: subnormal arguments and results are zero, at most 2 units in the last place off. Perturbed, it is off by up to as
// much as that, by an amount that depends on the argument alone.
float power_of_two(float x)
{
    float y = exp2f(x);
    if (!surroundings.perturbs_exponential || !std::isfinite(y)) return y < 0x1p-126f ? 0.0f : y;
    const unsigned mixed = same_bits<unsigned>(x) * 2654435761u;
    const int off = (int)(mixed >> 16) % 5 - 2;
    y = same_bits<float>(same_bits<int>(y) + (y > 0x1p-125f ? off : 0));
    return y < 0x1p-126f ? 0.0f : y;
}

template <class T> static T update(Atomic operation, T* address, T value, T expected)
{
    T before = __atomic_load_n(address, __ATOMIC_RELAXED), after = 0;
    do {
        switch (operation) {
        case Atomic::Add: after = (T)((uint64_t)before + (uint64_t)value); break;
        case Atomic::Max: after = before > value ? before : value; break;
        case Atomic::Min: after = before < value ? before : value; break;
        case Atomic::Exchange: after = value; break;
        case Atomic::Or: after = before | value; break;
        case Atomic::CompareAndSwap: after = before == expected ? value : before; break;
        }
    } while (!__atomic_compare_exchange_n(address, &before, after, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return before;
}

uint64_t atomic(Atomic operation, void* address, int bytes, bool is_signed, uint64_t value, uint64_t expected)
{
    if (checker) checker->access(address, bytes, Access::Atomic, Place{__builtin_return_address(0), nullptr, 0});
    if (bytes == 4) {
        return is_signed ? (uint64_t)update(operation, static_cast<int32_t*>(address), (int32_t)value, (int32_t)expected)
                         : update(operation, static_cast<uint32_t*>(address), (uint32_t)value, (uint32_t)expected);
    }
    return is_signed ? (uint64_t)update(operation, static_cast<int64_t*>(address), (int64_t)value, (int64_t)expected)
                     : update(operation, static_cast<uint64_t*>(address), value, expected);
}

} // namespace emulator
