// request_counter.cpp: what a warp's loads and stores cost: sectors of global memory, wavefronts of shared memory. The lanes of a warp run one
// after another here; what they ask for at one place, each for the n-th time, is one request.
#include <algorithm>
#include "checks.h"

namespace emulator {

constexpr uintptr_t SectorBytes = 32, WordBytes = 4, Banks = 32;

void RequestCounter::begin_block(size_t threads)
{
    turns.resize(threads);
    for (auto& places : turns) places.clear();
}

void RequestCounter::add(int thread, unsigned short place, uintptr_t address, size_t bytes, bool is_shared)
{
    auto& places = turns[thread];
    if (places.size() <= place) places.resize(place + 1, 0);
    const uint64_t turn = places[place]++;
    Request& request = requests[(uint64_t)(thread / 32) << 54 | (uint64_t)place << 38 | (turn & 0x3fffffffffull)];
    if (request.lanes == 32) return;
    request.is_shared = is_shared;
    request.address[request.lanes] = address;
    request.bytes[request.lanes] = (unsigned char)std::min<size_t>(bytes, 255);
    request.lane[request.lanes++] = (unsigned char)(thread % 32);
}

void RequestCounter::settle(Counts& counts)
{
    for (auto& entry : requests) {
        if (entry.second.is_shared) count_wavefronts(entry.second, counts);
        else count_sectors(entry.second, counts);
    }
    requests.clear();
}

void RequestCounter::count_sectors(Request& request, Counts& counts)
{
    std::pair<uintptr_t, uintptr_t> ranges[32];
    for (int i = 0; i < request.lanes; i++) ranges[i] = {request.address[i], request.address[i] + request.bytes[i]};
    std::sort(ranges, ranges + request.lanes);
    uintptr_t reached = 0, bytes = 0, sectors = 0, next_sector = 0;
    for (int i = 0; i < request.lanes; i++) {
        const uintptr_t begin = std::max(ranges[i].first, reached), end = ranges[i].second;
        if (end <= begin) continue;
        bytes += end - begin;
        reached = end;
        const uintptr_t first = std::max(begin / SectorBytes, next_sector), last = (end - 1) / SectorBytes;
        if (last >= first) sectors += last - first + 1;
        next_sector = last + 1;
    }
    counts.global_requests++;
    counts.global_sectors += sectors;
    counts.ideal_global_sectors += (bytes + SectorBytes - 1) / SectorBytes;
}

// 32 lanes at once for up to 4 bytes, 16 for 8, 8 for 16; words that several lanes want are sent to all of them.
void RequestCounter::count_wavefronts(const Request& request, Counts& counts)
{
    const int widest = *std::max_element(request.bytes, request.bytes + request.lanes);
    const int together = widest <= 4 ? 32 : widest <= 8 ? 16 : 8;
    counts.shared_requests++;
    for (int first = 0; first < 32; first += together) {
        uintptr_t words[32 * 4];
        int count = 0;
        for (int i = 0; i < request.lanes; i++) {
            if (request.lane[i] < first || request.lane[i] >= first + together) continue;
            const uintptr_t last = (request.address[i] + std::min<int>(request.bytes[i], 16) - 1) / WordBytes;
            for (uintptr_t word = request.address[i] / WordBytes; word <= last && count < 32 * 4; word++) words[count++] = word;
        }
        if (count == 0) continue;
        std::sort(words, words + count);
        count = (int)(std::unique(words, words + count) - words);
        int wanted[Banks] = {};
        for (int i = 0; i < count; i++) wanted[words[i] % Banks]++;
        counts.shared_wavefronts += *std::max_element(wanted, wanted + Banks);
        counts.ideal_shared_wavefronts++;
    }
}

} // namespace emulator
