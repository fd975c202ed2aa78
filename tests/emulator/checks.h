// checks.h: what every load and store of a kernel is held to, and counted by. Kernels compiled for checking call a function before each access
// to memory (g++ -fsanitize=thread, without its own runtime); it ends here.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <map>
#include <mutex>
#include <unordered_map>
#include <vector>
#include "language.h"

namespace emulator {

enum class Access : unsigned char { Read, Write, Atomic };

// Where in the program an access stands: an instruction, or a line.
struct Place {
    const void* instruction;
    const char* file;
    int line;
};

struct Range {
    uintptr_t begin = 0, end = 0;
    bool holds(uintptr_t address, size_t bytes) const { return begin <= address && address + bytes <= end; }
};

// Memory that kernels may touch. Ranges inside may be forbidden: what lies beside a tensor.
class Allocations {
public:
    static Allocations& all();
    void add(uintptr_t begin, size_t bytes);
    void remove(uintptr_t begin);
    void forbid(uintptr_t begin, size_t bytes);
    void allow(uintptr_t begin);
    // Null where the bytes may be touched, and then all that may be around them; else why not.
    const char* complaint(uintptr_t begin, size_t bytes, Range& around);

private:
    std::mutex mutex;
    std::map<uintptr_t, uintptr_t> ends, forbidden;
};

// Whether the accesses of CUDA threads are ordered: by block barriers, by meetings of a warp, by the end of a launch.
class Clocks {
public:
    void begin_block(size_t threads);
    void meet(int warp, unsigned mask);
    void barrier();
    unsigned now(int thread) const { return clock[thread]; }
    bool is_before(int earlier, unsigned time, int thread) const
    {
        return time <= at_barrier[earlier] || (earlier / 32 == thread / 32 && time <= seen[thread][earlier % 32]);
    }

private:
    std::vector<unsigned> clock, at_barrier;               // of each thread
    std::vector<std::vector<unsigned>> seen;               // by thread: the latest time of each lane of its warp that it is behind
};

struct Event {
    unsigned run = 0;                  // number of the launch, or of the block for shared memory
    unsigned block = 0, time = 0;
    unsigned short thread = 0, place = 0;
    unsigned char bytes = 0;           // of the cell, a bit each
    bool is_atomic = false;
};

// The last accesses to two bytes: half precision numbers lie in one cell, others in several.
struct Cell {
    Event write, read, other_read;     // reads of two different threads
    unsigned char written = 0;         // bytes, in the run of the last write
};

// Sums over a launch. A request is what a warp asks for at one place at once; a sector has 32 bytes; a wavefront is what shared memory answers
// in one go: the banks' 32 words of 4 bytes.
struct Counts {
    unsigned long long global_requests, global_sectors, ideal_global_sectors;
    unsigned long long shared_requests, shared_wavefronts, ideal_shared_wavefronts;
};

class RequestCounter {
public:
    void begin_block(size_t threads);
    void add(int thread, unsigned short place, uintptr_t address, size_t bytes, bool is_shared);
    void settle(Counts& counts);       // all that was asked for so far

private:
    struct Request {
        int lanes = 0;
        bool is_shared = false;
        uintptr_t address[32];
        unsigned char bytes[32], lane[32];
    };
    static void count_sectors(Request& request, Counts& counts);
    static void count_wavefronts(const Request& request, Counts& counts);

    std::vector<std::vector<unsigned>> turns;              // by thread and place: how often it was there
    std::unordered_map<uint64_t, Request> requests;        // by warp, place and turn
};

class Worker;

// The checks of one operating system thread.
class Checker {
public:
    void begin_launch(Worker& worker, Counts* counts);
    void begin_block();
    void end_block();
    void barrier();
    void meet(int warp, unsigned mask) { clocks.meet(warp, mask); }
    void access(const void* address, size_t bytes, Access access, const Place& place);
    void finish_copy(const void* to, const void* from, size_t bytes, const Place& place);   // was asked for before, and counted

private:
    unsigned short number(const Place& place);
    std::vector<Cell>& page(uintptr_t address);
    void check(Cell& cell, const Event& now, Access access, uintptr_t address, size_t bytes, bool is_shared);
    [[noreturn]] void fail_race(const Event& earlier, const char* what, const Event& now, Access access, uintptr_t address, bool is_shared);
    [[noreturn]] void fail_access(const Place& place, Access access, uintptr_t address, size_t bytes, const char* why);

    Worker* worker = nullptr;
    Counts* counts = nullptr;
    bool is_counting = false;
    Clocks clocks;
    RequestCounter requests;
    unsigned launches = 0, blocks = 0;
    std::vector<Place> places;
    std::unordered_map<uint64_t, unsigned short> numbers;
    std::vector<Range> allowed;        // by place: most stay with one tensor throughout a launch
    std::unordered_map<uintptr_t, std::vector<Cell>> pages;
    uintptr_t last_page = 0;
    std::vector<Cell>* last_cells = nullptr;
    std::vector<Cell> shared_cells;
};

// Set while a kernel that was compiled for checking runs.
extern __thread Checker* checker EMULATOR_FIXED;

inline void observe(const void* address, size_t bytes, Access access, const char* file, int line)
{
    if (checker) checker->access(address, bytes, access, Place{nullptr, file, line});
}

} // namespace emulator
