// failures.cpp: a defect of a kernel ends its launch with a message, and leaves the process as it was.
#include <dlfcn.h>
#include <stdio.h>
#include "worker.h"

namespace emulator {

const char* base_name(const char* path)
{
    const char* slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

// Where an instruction stands in the source, the function that was inlined first: asked of the debugger's tables once the fibers are left.
static std::string described(const Place& place)
{
    if (place.file) return std::string(base_name(place.file)) + ":" + std::to_string(place.line);
    Dl_info library;
    if (!place.instruction || !dladdr(place.instruction, &library)) return "an unknown place";
    char command[1200];
    // An address to return to is that of the instruction behind the call.
    const size_t offset = (const char*)place.instruction - 1 - (const char*)library.dli_fbase;
    snprintf(command, sizeof command, "addr2line -i -s -e '%s' %#zx 2>&1", library.dli_fname, offset);
    FILE* output = popen(command, "r");
    if (!output) return "an unknown place";
    std::string text, previous;
    char line[400];
    while (fgets(line, sizeof line, output)) {
        line[strcspn(line, " \n")] = 0;          // behind a space: "(discriminator 2)"
        if (strncmp(line, "language.h:", 11) == 0) break;    // who called the kernel
        if (line == previous) continue;
        text += (text.empty() ? "" : ", inlined at ") + std::string(line);
        previous = line;
    }
    pclose(output);
    return text;
}

void Worker::fail(const Place& here, const Place* elsewhere, const char* what)
{
    if (!launch->failed.exchange(true)) {
        const uint3 b = surroundings.block, t = running->index;
        snprintf(launch->message, sizeof launch->message, "%s: %s, at \001, block (%u, %u, %u), thread (%u, %u, %u)", launch->kernel->name, what, b.x, b.y, b.z, t.x, t.y, t.z);
        launch->places[0] = here;
        launch->places[1] = elsewhere ? *elsewhere : Place{};
    }
    abandon();
}

std::string complete_message(const Launch& launch)
{
    std::string message;
    for (const char* c = launch.message; *c; c++) {
        if (*c == *ELSEWHERE) message += described(launch.places[1]);
        else if (*c == '\001') message += described(launch.places[0]);
        else message += *c;
    }
    return message;
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
