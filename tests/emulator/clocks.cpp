// clocks.cpp: which accesses are ordered. Each thread's clock goes on at each meeting; a meeting tells each of its lanes how far the others are.
#include <algorithm>
#include "checks.h"

namespace emulator {

void Clocks::begin_block(size_t threads)
{
    clock.assign(threads, 1);
    at_barrier.assign(threads, 0);
    seen.resize(threads);
    for (auto& lanes : seen) lanes.assign(32, 0);
}

void Clocks::meet(int warp, unsigned mask)
{
    const int first = warp * 32;
    unsigned latest[32] = {};
    for (unsigned lanes = mask; lanes; lanes &= lanes - 1) {
        const int lane = __builtin_ctz(lanes);
        auto& mine = seen[first + lane];
        mine[lane] = clock[first + lane]++;
        for (int other = 0; other < 32; other++) latest[other] = std::max(latest[other], mine[other]);
    }
    for (unsigned lanes = mask; lanes; lanes &= lanes - 1) std::copy(latest, latest + 32, seen[first + __builtin_ctz(lanes)].begin());
}

void Clocks::barrier()
{
    for (size_t i = 0; i < clock.size(); i++) at_barrier[i] = clock[i]++;
}

} // namespace emulator
