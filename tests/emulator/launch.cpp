// launch.cpp: what the host calls. Blocks of a launch go to as many operating system threads as it asks for.
#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <numeric>
#include <stdio.h>
#include <thread>
#include "worker.h"

namespace emulator {

// The block that runs at a turn: a random order is a walk round the blocks in steps that share no divisor with their number.
unsigned long long Launch::block_at(unsigned long long turn) const
{
    if (options.order == 0) return turn;
    if (options.order == 1) return blocks - 1 - turn;
    return (unsigned long long)(((unsigned __int128)step * turn + (unsigned)options.order) % blocks);
}

// Threads that help with the blocks of a launch. They are kept, since fibers are, and never end: a library must not be unloaded under them.
class Helpers {
public:
    void run(Launch& launch, int workers)
    {
        {
            std::lock_guard<std::mutex> lock(mutex);
            for (; started < workers - 1; started++) std::thread([this] { help(); }).detach();
            tickets.insert(tickets.end(), workers - 1, &launch);
        }
        wanted.notify_all();
        Worker::help(launch);
        std::unique_lock<std::mutex> lock(mutex);
        tickets.erase(std::remove(tickets.begin(), tickets.end(), &launch), tickets.end());
        done.wait(lock, [&] { return launch.helping == 0; });
    }

private:
    void help()
    {
        std::unique_lock<std::mutex> lock(mutex);
        for (;;) {
            wanted.wait(lock, [&] { return !tickets.empty(); });
            Launch& launch = *tickets.front();
            tickets.pop_front();
            launch.helping++;
            lock.unlock();
            Worker::help(launch);
            lock.lock();
            launch.helping--;
            done.notify_all();
        }
    }

    std::mutex mutex;
    std::condition_variable wanted, done;
    std::deque<Launch*> tickets;
    int started = 0;
};

} // namespace emulator

using namespace emulator;

// Runs a kernel to its end. 0, or 1 with a message where a defect ended it.
extern "C" EMULATOR_API int emulator_launch(
    const Kernel* kernel, const unsigned* grid, const unsigned* block, unsigned shared_bytes, const uint64_t* values, int workers, const Options* options, Counts* counts, char* message, int capacity)
{
    static Helpers& helpers = *new Helpers;
    Launch launch;
    launch.kernel = kernel;
    launch.grid = {grid[0], grid[1], grid[2]};
    launch.block = {block[0], block[1], block[2]};
    launch.shared_bytes = shared_bytes;
    for (int i = 0; i < kernel->count; i++) {
        launch.values[i] = values[i];
        launch.arguments[i] = launch.values + i;
    }
    launch.options = *options;
    launch.counts = counts;
    launch.blocks = (unsigned long long)grid[0] * grid[1] * grid[2];
    launch.step = launch.blocks / 2 + (unsigned)options->order;
    while (std::gcd(launch.step, launch.blocks) != 1) launch.step++;
    // Checks know the accesses of one operating system thread.
    const int useful = options->checks ? 1 : (int)std::min<unsigned long long>(workers, launch.blocks);
    if (useful > 1) helpers.run(launch, useful);
    else Worker::help(launch);
    if (!launch.failed) return 0;
    snprintf(message, capacity, "%s", complete_message(launch).c_str());
    return 1;
}

// Device memory that kernels may touch, and what of it they may not: what lies beside a tensor.
extern "C" EMULATOR_API void emulator_allocated(uintptr_t begin, size_t bytes) { Allocations::all().add(begin, bytes); }
extern "C" EMULATOR_API void emulator_freed(uintptr_t begin) { Allocations::all().remove(begin); }
extern "C" EMULATOR_API void emulator_forbid(uintptr_t begin, size_t bytes) { Allocations::all().forbid(begin, bytes); }
extern "C" EMULATOR_API void emulator_allow(uintptr_t begin) { Allocations::all().allow(begin); }
