// checker.cpp: an access held to bounds, to what was written before, and to the accesses of other threads.
#include <stdio.h>
#include "checks.h"
#include "worker.h"

namespace emulator {

constexpr uintptr_t CellBytes = 2, PageBytes = 4096;
constexpr size_t MostPages = 4096;     // kept from launch to launch

__thread Checker* checker EMULATOR_FIXED;

static const char* verb(Access access) { return access == Access::Read ? "reads" : access == Access::Write ? "writes" : "atomically changes"; }

void Checker::begin_launch(Worker& of, Counts* to)
{
    worker = &of;
    counts = to;
    is_counting = to != nullptr;
    launches++;
    // A place's number lives as long as the cells that name it; cells of earlier launches say nothing.
    if (places.size() > 20000 || pages.size() > MostPages) {
        places.clear();
        numbers.clear();
        pages.clear();
        shared_cells.clear();
    }
    allowed.assign(places.size(), Range());
    last_cells = nullptr;
}

void Checker::begin_block()
{
    blocks++;
    clocks.begin_block(worker->thread_count());
    requests.begin_block(worker->thread_count());
    const size_t needed = (worker->shared_bytes() + CellBytes - 1) / CellBytes;
    if (shared_cells.size() < needed) shared_cells.resize(needed);
}

void Checker::end_block()
{
    if (counts) requests.settle(*counts);
}

void Checker::barrier()
{
    clocks.barrier();
    if (counts) requests.settle(*counts);
}

unsigned short Checker::number(const Place& place)
{
    const uint64_t key = place.instruction ? (uint64_t)place.instruction : (uint64_t)place.file * 8191 + (uint64_t)place.line;
    const auto found = numbers.find(key);
    if (found != numbers.end()) return found->second;
    places.push_back(place);
    allowed.emplace_back();
    return numbers[key] = (unsigned short)(places.size() - 1);
}

std::vector<Cell>& Checker::page(uintptr_t address)
{
    const uintptr_t at = address / PageBytes;
    if (last_cells && at == last_page) return *last_cells;
    auto& cells = pages[at];
    if (cells.empty()) cells.resize(PageBytes / CellBytes);
    last_page = at;
    return *(last_cells = &cells);
}

void Checker::access(const void* pointer, size_t bytes, Access access, const Place& place)
{
    if (worker->holds_stack(pointer)) return;
    const uintptr_t address = reinterpret_cast<uintptr_t>(pointer);
    size_t offset = 0;
    const bool is_shared = worker->find_shared(address, offset);
    if (is_shared && offset + bytes > worker->shared_bytes()) fail_access(place, access, address, bytes, "beyond the block's shared memory");
    const unsigned short at_place = number(place);
    if (!is_shared && !allowed[at_place].holds(address, bytes)) {
        if (worker->holds_constant(address)) return;
        if (const char* why = Allocations::all().complaint(address, bytes, allowed[at_place])) fail_access(place, access, address, bytes, why);
    }
    if ((bytes & (bytes - 1)) == 0 && bytes <= 16 && address % bytes != 0) fail_access(place, access, address, bytes, "at an address that is not a multiple of their number");

    const int thread = worker->running_thread();
    Event now;
    now.run = is_shared ? blocks : launches;
    now.block = is_shared ? 0 : worker->block_number();
    now.time = clocks.now(thread);
    now.thread = (unsigned short)thread;
    now.place = at_place;
    if (is_counting) requests.add(thread, now.place, address, bytes, is_shared);
    now.is_atomic = access == Access::Atomic;
    for (uintptr_t at = address / CellBytes * CellBytes; at < address + bytes; at += CellBytes) {
        now.bytes = (at >= address) | (at + 1 >= address && at + 1 < address + bytes) << 1;
        Cell& cell = is_shared ? shared_cells[(offset + at - address) / CellBytes] : page(at)[at % PageBytes / CellBytes];
        check(cell, now, access, address, bytes, is_shared);
    }
}

void Checker::finish_copy(const void* to, const void* from, size_t bytes, const Place& place)
{
    is_counting = false;
    access(from, bytes, Access::Read, place);
    access(to, bytes, Access::Write, place);
    is_counting = counts != nullptr;
}

void Checker::check(Cell& cell, const Event& now, Access access, uintptr_t address, size_t bytes, bool is_shared)
{
    const auto conflicts = [&](const Event& earlier) {
        if (earlier.run != now.run || (earlier.block == now.block && earlier.thread == now.thread)) return false;
        if (!(earlier.bytes & now.bytes) || (earlier.is_atomic && now.is_atomic)) return false;
        return earlier.block != now.block || !clocks.is_before(earlier.thread, earlier.time, now.thread);
    };
    if (conflicts(cell.write)) fail_race(cell.write, "wrote", now, access, address, is_shared);
    if (access == Access::Read) {
        if (is_shared && (cell.write.run != now.run || (now.bytes & ~cell.written))) fail_access(places[now.place], access, address, bytes, "of shared memory that nothing was written to");
        if (cell.read.run == now.run && (cell.read.thread != now.thread || cell.read.block != now.block)) cell.other_read = cell.read;
        cell.read = now;
        return;
    }
    if (conflicts(cell.read)) fail_race(cell.read, "read", now, access, address, is_shared);
    if (conflicts(cell.other_read)) fail_race(cell.other_read, "read", now, access, address, is_shared);
    cell.written = now.bytes | (cell.write.run == now.run ? cell.written : 0);
    cell.write = now;
}

void Checker::fail_access(const Place& place, Access access, uintptr_t address, size_t bytes, const char* why)
{
    char what[200];
    snprintf(what, sizeof what, "%s %zu bytes %s (address %#zx)", verb(access), bytes, why, (size_t)address);
    worker->fail(place, nullptr, what);
}

void Checker::fail_race(const Event& earlier, const char* did, const Event& now, Access access, uintptr_t address, bool is_shared)
{
    char what[300];
    const Place &here = places[now.place], &there = places[earlier.place];
    const char* memory = is_shared ? "shared" : "global";
    if (earlier.block != now.block) snprintf(what, sizeof what, "%s %s memory (address %#zx) that block %u %s in the same launch at " ELSEWHERE, verb(access), memory, (size_t)address, earlier.block, did);
    else snprintf(what, sizeof what, "race: %s %s memory (address %#zx) that thread %d of the block %s, with no barrier between, at " ELSEWHERE, verb(access), memory, (size_t)address, earlier.thread, did);
    worker->fail(here, &there, what);
}

} // namespace emulator

using emulator::checker;

#define OBSERVED extern "C" EMULATOR_API
#define HERE emulator::Place{__builtin_return_address(0), nullptr, 0}

OBSERVED void __tsan_init() {}
#define ACCESS_OF(bytes) \
    OBSERVED void __tsan_read##bytes(void* p) { if (checker) checker->access(p, bytes, emulator::Access::Read, HERE); } \
    OBSERVED void __tsan_write##bytes(void* p) { if (checker) checker->access(p, bytes, emulator::Access::Write, HERE); } \
    OBSERVED void __tsan_unaligned_read##bytes(void* p) { if (checker) checker->access(p, bytes, emulator::Access::Read, HERE); } \
    OBSERVED void __tsan_unaligned_write##bytes(void* p) { if (checker) checker->access(p, bytes, emulator::Access::Write, HERE); } \
    OBSERVED void __tsan_volatile_read##bytes(void* p) { if (checker) checker->access(p, bytes, emulator::Access::Read, HERE); } \
    OBSERVED void __tsan_volatile_write##bytes(void* p) { if (checker) checker->access(p, bytes, emulator::Access::Write, HERE); }
ACCESS_OF(1)
ACCESS_OF(2)
ACCESS_OF(4)
ACCESS_OF(8)
ACCESS_OF(16)
OBSERVED void __tsan_read_range(void* p, size_t bytes) { if (checker) checker->access(p, bytes, emulator::Access::Read, HERE); }
OBSERVED void __tsan_write_range(void* p, size_t bytes) { if (checker) checker->access(p, bytes, emulator::Access::Write, HERE); }

// g++ -fsanitize=bounds calls this before an index beyond an array whose size it knows; the data begin with the place.
struct SourceLocation {
    const char* file;
    unsigned line, column;
};
OBSERVED void __ubsan_handle_out_of_bounds(void* data, void* index)
{
    const auto& place = *static_cast<const SourceLocation*>(data);
    emulator::fail(place.file, (int)place.line, "the index %lld is outside of the array", (long long)reinterpret_cast<intptr_t>(index));
}
