// failures.cpp: a defect of a kernel ends its launch with a message, and leaves the process as it was.
#include "worker.h"
#include <stdio.h>

namespace emulator {

const char* base_name(const char* path)
{
    const char* slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

void Worker::fail(const char* file, int line, const char* what)
{
    if (!launch->failed.exchange(true)) {
        const uint3 b = surroundings.block, t = running->index;
        char place[200] = "";
        if (file) snprintf(place, sizeof place, ", at %s:%d", base_name(file), line);
        snprintf(launch->message, sizeof launch->message, "%s: %s%s, block (%u, %u, %u), thread (%u, %u, %u)",
            launch->kernel->name, what, place, b.x, b.y, b.z, t.x, t.y, t.z);
    }
    abandon();
}

// Back to the host; the block's fibers are left where they stand and begin anew with the next block.
void Worker::abandon()
{
    for (auto& thread : threads) {
        thread.fiber = nullptr;
        thread.copies.clear();
        thread.groups.clear();
    }
    fibers.start_afresh();
    void* left;
    emulator_switch(&left, host_stack_pointer);
    __builtin_unreachable();
}

// Nobody can go on: says who waits where, one line for neighbours in the same place.
void Worker::fail_stalled()
{
    char what[1200] = "divergent barrier: nobody can go on";
    size_t length = strlen(what);
    const Thread* previous = nullptr;
    bool previous_alive = false;
    for (size_t i = 0; i < threads.size() && length + 200 < sizeof what; i++) {
        const Thread& thread = threads[i];
        const bool is_alive = warps[thread.warp].alive >> thread.lane & 1;
        if (previous && is_alive == previous_alive && (!is_alive || (previous->at_barrier == thread.at_barrier && previous->line == thread.line))) continue;
        if (!is_alive) length += snprintf(what + length, sizeof what - length, "; threads from %zu have ended", i);
        else if (thread.at_barrier) length += snprintf(what + length, sizeof what - length, "; threads from %zu wait at the __syncthreads of %s:%d", i, base_name(thread.file), thread.line);
        else length += snprintf(what + length, sizeof what - length, "; threads from %zu wait for lanes %08x of their warp at %s:%d", i, thread.mask, base_name(thread.file), thread.line);
        previous = &thread;
        previous_alive = is_alive;
    }
    const Thread* waiting_thread = &threads[0];
    for (const auto& thread : threads) {
        if (warps[thread.warp].alive >> thread.lane & 1) {
            waiting_thread = &thread;
            break;
        }
    }
    fail(waiting_thread->file, waiting_thread->line, what);
}

} // namespace emulator
