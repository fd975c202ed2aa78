// worker.h: runs blocks of a launch on one operating system thread, switching between the fibers of their CUDA threads.
#pragma once
#include <atomic>
#include <memory>
#include <string>
#include <vector>
#include "checks.h"
#include "fibers.h"
#include "warp.h"

namespace emulator {

enum class Order : unsigned char { Forward, Reverse, Random };

struct Copy {
    void* to;
    const void* from;
    const char* file;
    int line;
};

struct Thread {
    uint3 index;
    int warp;
    unsigned char lane;
    bool at_barrier;                   // of the block, else in an operation of its warp; where and with whom says the rest
    const char* file;
    int line;
    unsigned mask;
    Fiber* fiber;                      // none before its first instruction and after its last
    std::vector<Copy> copies;          // under way, oldest first
    std::vector<size_t> groups;        // how many of them each committed group ends behind
};

// Lanes that wait for one another in one operation. Several at once where their masks differ.
struct Meeting {
    unsigned mask, arrived;
    WarpOperation operation;
    const char* file;
    int line;
};

// A bit a lane. What lanes bring to a meeting and take from it lies here and not on their stacks: a shuffle touches one place in memory.
struct Warp {
    unsigned present, ready, alive;
    int meetings;
    Meeting meeting[32];
    uint64_t value[32], result[32];
    unsigned char source[32];
    void* output[32];
    const void *first[32], *second[32];
};

struct Options {
    int order;                         // of threads and blocks: 0 forward, 1 reverse, otherwise a seed
    bool perturbs_exponential, truncates_products;
    bool checks;                       // the kernel is compiled for it
};

constexpr int MostArguments = 32;

// What the operating system threads of one launch share.
struct Launch {
    const Kernel* kernel;
    uint3 grid, block;
    size_t shared_bytes;
    uint64_t values[MostArguments];
    void* arguments[MostArguments];
    Options options;
    unsigned long long blocks, step;
    int helping = 0;
    std::atomic<unsigned long long> next{0};
    std::atomic<bool> failed{false};
    char message[2048];                // of the first failure; ELSEWHERE in it stands for the second place
    Place places[2];
    Counts* counts;                    // null where nothing is counted

    unsigned long long block_at(unsigned long long turn) const;
};

void multiply_fragments(Warp& warp, bool is_bf16, bool truncates);
void load_matrices(Warp& warp, bool transposed);
const char* base_name(const char* path);
std::string complete_message(const Launch& launch);

#define ELSEWHERE "\002"
void catch_faults();

class Worker {
public:
    Worker() : fibers(&Worker::run_threads) {}
    Worker(const Worker&) = delete;
    ~Worker();
    static void help(Launch& launch);  // runs blocks until none is left

    void block_barrier(const char* file, int line);
    void warp_barrier(unsigned mask, const char* file, int line);
    uint64_t warp_shuffle(unsigned mask, uint64_t value, Source source, int by, int width, const char* file, int line);
    unsigned warp_vote(unsigned mask, bool vote, const char* file, int line);
    void warp_multiply(WarpOperation operation, float* d, const unsigned* a, const unsigned* b, const char* file, int line);
    void warp_load_matrices(WarpOperation operation, unsigned* r, const void* row, const char* file, int line);
    void copy_later(void* to, const void* from, const char* file, int line);
    void close_copy_group();
    void wait_for_copies(int groups_left);
    [[noreturn]] void fail(const Place& here, const Place* elsewhere, const char* what);
    [[noreturn]] void fail(const char* file, int line, const char* what) { fail(Place{nullptr, file, line}, nullptr, what); }

    bool is_running() const { return running != nullptr; }
    int running_thread() const { return (int)(running - threads.data()); }
    size_t thread_count() const { return threads.size(); }
    unsigned block_number() const;
    bool holds_stack(const void* address) const { return fibers.holds(address); }
    // What a kernel may read though it is neither tensor nor shared memory: its program's constants, its arguments, built-in variables.
    bool holds_constant(uintptr_t address) const
    {
        const auto is_in = [&](const auto& object) { return address - reinterpret_cast<uintptr_t>(&object) < sizeof(object); };
        return is_in(thread_index) || is_in(surroundings) || (memory.begin <= address && address < memory.end) || is_in(*launch)
            || address - reinterpret_cast<uintptr_t>(threads.data()) < threads.size() * sizeof(Thread);
    }
    // Shared memory as one stretch: static, then dynamic. An offset beyond it is that of an address beside it.
    size_t shared_bytes() const { return dynamic_offset() + launch->shared_bytes; }
    bool find_shared(uintptr_t address, size_t& offset) const;

private:
    static void run_threads();
    void run_blocks(Launch& launch);
    void shape_block();
    void run_block(uint3 index);
    void poison_shared_memory();

    Thread* pick();
    void next_thread();
    void wait();
    void go_to(Fiber* from, Thread* to);
    void release_barrier();
    void meet(unsigned mask, WarpOperation operation, const char* file, int line);
    void serve(const Meeting& meeting, Warp& warp);
    [[noreturn]] void fail_stalled();
    [[noreturn]] void abandon();
    uint64_t random();
    size_t dynamic_offset() const { return (memory.static_bytes + 15) / 16 * 16; }

    Fibers fibers;
    std::vector<Thread> threads;
    std::vector<Warp> warps;
    unsigned char* dynamic_shared = nullptr;
    size_t dynamic_bytes = 0;
    ProgramMemory memory{};
    void (*memory_of)(ProgramMemory& memory) = nullptr;
    std::unique_ptr<Checker> checks;
    Thread* running = nullptr;
    void* host_stack_pointer = nullptr;
    Launch* launch = nullptr;
    uint3 shape{0, 0, 0};
    Order order = Order::Forward;
    uint64_t random_state = 1;
    int alive = 0, waiting = 0, warp_count = 0, scan_from = 0;
    const char* barrier_file = nullptr;
    int barrier_line = 0;
};

// The worker of this operating system thread while it runs a launch.
extern __thread Worker* worker EMULATOR_FIXED;

} // namespace emulator
