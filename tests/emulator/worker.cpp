// worker.cpp: which CUDA thread of a block runs next, block barriers, and what happens when they cannot be met.
#include "worker.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

namespace emulator {

__thread const uint3* thread_index EMULATOR_FIXED;
__thread Surroundings surroundings EMULATOR_FIXED;

__thread Worker* worker EMULATOR_FIXED;

// Kept from launch to launch: fibers are worth keeping.
void Worker::help(Launch& launch)
{
    static thread_local Worker mine;
    worker = &mine;
    catch_faults();
    mine.run_blocks(launch);
}

void block_barrier(const char* file, int line) { worker->block_barrier(file, line); }

void fail(const char* file, int line, const char* format, ...)
{
    char what[1024];
    va_list values;
    va_start(values, format);
    vsnprintf(what, sizeof what, format, values);
    va_end(values);
    worker->fail(file, line, what);
}

// Unused bytes on both sides of dynamic shared memory: an access that misses it by little is told from one that misses all memory.
constexpr size_t Margin = 4096;

Worker::~Worker()
{
    if (dynamic_shared) free(dynamic_shared - Margin);
}

unsigned Worker::block_number() const
{
    const uint3 b = surroundings.block, grid = launch->grid;
    return (b.z * grid.y + b.y) * grid.x + b.x;
}

bool Worker::find_shared(uintptr_t address, size_t& offset) const
{
    const uintptr_t statics = reinterpret_cast<uintptr_t>(memory.static_shared), dynamics = reinterpret_cast<uintptr_t>(dynamic_shared);
    if (statics <= address && address < statics + memory.static_bytes) {
        offset = address - statics;
        return true;
    }
    if (!dynamic_shared || address < dynamics - Margin || address >= dynamics + dynamic_bytes + Margin) return false;
    offset = address < dynamics ? shared_bytes() : dynamic_offset() + (address - dynamics);
    return true;
}

uint64_t Worker::random()
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    return random_state ^= random_state << 17;
}

// The n-th of the bits that are set.
static int bit_at(unsigned bits, unsigned n)
{
    while (n-- > 0) bits &= bits - 1;
    return __builtin_ctz(bits);
}

// The next thread that can go on. Forward and reverse run any two threads of a stretch between barriers in opposite order.
Thread* Worker::pick()
{
    if (order == Order::Forward && warps[scan_from].ready) return &threads[scan_from * 32 + __builtin_ctz(warps[scan_from].ready)];
    if (order == Order::Random) scan_from = (int)(random() % warp_count);
    for (int tried = 0; tried < warp_count; tried++) {
        if (const unsigned ready = warps[scan_from].ready) {
            const int lane = order == Order::Forward ? __builtin_ctz(ready)
                : order == Order::Reverse ? 31 - __builtin_clz(ready)
                : bit_at(ready, (unsigned)(random() % __builtin_popcount(ready)));
            return &threads[scan_from * 32 + lane];
        }
        if (order == Order::Reverse) scan_from = scan_from == 0 ? warp_count - 1 : scan_from - 1;
        else scan_from = scan_from + 1 == warp_count ? 0 : scan_from + 1;
    }
    return nullptr;
}

void Worker::go_to(Fiber* from, Thread* to)
{
    if (!to->fiber) to->fiber = fibers.take();
    running = to;
    thread_index = &to->index;
    emulator_switch(&from->stack_pointer, to->fiber->stack_pointer);
}

// The running thread cannot go on, or lets others go first.
void Worker::wait()
{
    Thread* next = pick();
    if (!next) fail_stalled();
    if (next != running) go_to(running->fiber, next);
}

// What every fiber runs: thread after thread, without a switch where the next one is new.
void Worker::run_threads()
{
    Worker& mine = *worker;
    for (;;) {
        mine.launch->kernel->run(mine.launch->arguments);
        mine.next_thread();
    }
}

// The running thread has ended. Returns on the same fiber, perhaps after others have run, with another thread to begin.
void Worker::next_thread()
{
    Warp& warp = warps[running->warp];
    warp.alive &= ~(1u << running->lane);
    warp.ready &= ~(1u << running->lane);
    Fiber* fiber = running->fiber;
    running->fiber = nullptr;
    if (!running->copies.empty()) {
        running->copies.clear();
        running->groups.clear();
    }
    if (--alive == 0) {
        fibers.give_back(fiber);
        emulator_switch(&fiber->stack_pointer, host_stack_pointer);
        return;
    }
    if (waiting == alive) release_barrier();
    Thread* next = pick();
    if (!next) fail_stalled();
    if (next->fiber) {
        fibers.give_back(fiber);
        go_to(fiber, next);
    } else {
        next->fiber = fiber;
        running = next;
        thread_index = &next->index;
    }
}

void Worker::block_barrier(const char* file, int line)
{
    if (waiting > 0 && (barrier_line != line || barrier_file != file)) {
        char what[300];
        snprintf(what, sizeof what, "divergent barrier: other threads of the block wait at the __syncthreads of %s:%d", base_name(barrier_file), barrier_line);
        fail(file, line, what);
    }
    barrier_file = running->file = file;
    barrier_line = running->line = line;
    running->at_barrier = true;
    warps[running->warp].ready &= ~(1u << running->lane);
    if (++waiting == alive) release_barrier();
    wait();
}

void Worker::release_barrier()
{
    if (checker) checker->barrier();
    waiting = 0;
    for (int w = 0; w < warp_count; w++) warps[w].ready = warps[w].alive;
    scan_from = order == Order::Reverse ? warp_count - 1 : 0;
}

void Worker::shape_block()
{
    if (shape.x == launch->block.x && shape.y == launch->block.y && shape.z == launch->block.z) return;
    shape = launch->block;
    const size_t count = (size_t)shape.x * shape.y * shape.z;
    threads.resize(count);
    warp_count = (int)((count + 31) / 32);
    warps.resize(warp_count);
    for (size_t i = 0; i < count; i++) {
        threads[i].index = {(unsigned)(i % shape.x), (unsigned)(i / shape.x % shape.y), (unsigned)(i / shape.x / shape.y)};
        threads[i].warp = (int)(i / 32);
        threads[i].lane = (unsigned char)(i % 32);
        threads[i].fiber = nullptr;
    }
    for (int w = 0; w < warp_count; w++) warps[w].present = count - w * 32 >= 32 ? ~0u : (1u << (count - w * 32)) - 1;
}

// Shared memory holds nothing when a block begins: NaN, so that a read of it shows.
void Worker::poison_shared_memory()
{
    if (launch->shared_bytes > 0) memset(dynamic_shared, 0xff, launch->shared_bytes);
    if (memory.static_bytes > 0) memset(memory.static_shared, 0xff, memory.static_bytes);
}

void Worker::run_block(uint3 index)
{
    poison_shared_memory();
    surroundings.block = index;
    for (auto& warp : warps) {
        warp.ready = warp.alive = warp.present;
        warp.meetings = 0;
    }
    alive = (int)threads.size();
    waiting = 0;
    scan_from = order == Order::Reverse ? warp_count - 1 : 0;
    if (checker) checker->begin_block();
    Thread* first = pick();
    first->fiber = fibers.take();
    running = first;
    thread_index = &first->index;
    emulator_switch(&host_stack_pointer, first->fiber->stack_pointer);
    running = nullptr;
    if (checker) checker->end_block();
}

void Worker::run_blocks(Launch& shared)
{
    launch = &shared;
    order = shared.options.order == 0 ? Order::Forward : shared.options.order == 1 ? Order::Reverse : Order::Random;
    random_state = 0x9E3779B97F4A7C15ull * (unsigned)(shared.options.order + 1);
    shape_block();
    if (shared.shared_bytes > dynamic_bytes) {
        if (dynamic_shared) free(dynamic_shared - Margin);
        dynamic_bytes = (shared.shared_bytes + 127) / 128 * 128;
        dynamic_shared = static_cast<unsigned char*>(aligned_alloc(128, Margin + dynamic_bytes + Margin)) + Margin;
    }
    if (memory_of != shared.kernel->memory) {
        memory_of = shared.kernel->memory;
        memory_of(memory);
    }
    if (shared.options.checks) {
        if (!checks) checks = std::make_unique<Checker>();
        checker = checks.get();
        checker->begin_launch(*this, shared.counts);
    }
    surroundings.block_size = shared.block;
    surroundings.grid_size = shared.grid;
    surroundings.dynamic_shared = dynamic_shared;
    surroundings.perturbs_exponential = shared.options.perturbs_exponential;
    surroundings.truncates_products = shared.options.truncates_products;
    while (!shared.failed.load(std::memory_order_relaxed)) {
        const auto turn = shared.next.fetch_add(1, std::memory_order_relaxed);
        if (turn >= shared.blocks) break;
        const auto block = shared.block_at(turn);
        run_block({(unsigned)(block % shared.grid.x), (unsigned)(block / shared.grid.x % shared.grid.y), (unsigned)(block / shared.grid.x / shared.grid.y)});
    }
    checker = nullptr;
    launch = nullptr;
}

} // namespace emulator
