// allocations.cpp: which global memory kernels may touch.
#include <algorithm>
#include "checks.h"

namespace emulator {

Allocations& Allocations::all()
{
    static Allocations& instance = *new Allocations;
    return instance;
}

void Allocations::add(uintptr_t begin, size_t bytes)
{
    std::lock_guard<std::mutex> lock(mutex);
    ends[begin] = begin + bytes;
}

void Allocations::remove(uintptr_t begin)
{
    std::lock_guard<std::mutex> lock(mutex);
    const auto found = ends.find(begin);
    if (found == ends.end()) return;
    forbidden.erase(forbidden.lower_bound(begin), forbidden.lower_bound(found->second));
    ends.erase(found);
}

void Allocations::forbid(uintptr_t begin, size_t bytes)
{
    std::lock_guard<std::mutex> lock(mutex);
    forbidden[begin] = begin + bytes;
}

void Allocations::allow(uintptr_t begin)
{
    std::lock_guard<std::mutex> lock(mutex);
    forbidden.erase(begin);
}

const char* Allocations::complaint(uintptr_t begin, size_t bytes, Range& around)
{
    std::lock_guard<std::mutex> lock(mutex);
    auto after = ends.upper_bound(begin);
    if (after == ends.begin() || (--after)->second < begin + bytes) return "outside of all device memory";
    around = {after->first, after->second};
    const auto next = forbidden.lower_bound(begin + bytes);
    if (next != forbidden.end()) around.end = std::min(around.end, next->first);
    if (next != forbidden.begin()) around.begin = std::max(around.begin, std::prev(next)->second);
    return around.begin > begin ? "outside of the tensor" : nullptr;
}

} // namespace emulator
