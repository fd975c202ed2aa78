// fibers.h: stacks on which the CUDA threads of a block take turns, and the switch between them.
#pragma once
#include <stddef.h>
#include <vector>

namespace emulator {

struct Fiber {
    void* stack_pointer;               // where it goes on
    unsigned char* stack;              // its lowest usable address
};

// Stores the running context at *save and goes on where another was stored. Six registers: those that a called function must preserve.
extern "C" void emulator_switch(void** save, void* load);

// The fibers of one operating system thread. Each runs `main` from its beginning when first switched to.
class Fibers {
public:
    explicit Fibers(void (*main)()) : main(main) {}
    Fibers(const Fibers&) = delete;
    ~Fibers();
    Fiber* take()
    {
        if (free.empty()) grow();
        Fiber* fiber = free.back();
        free.pop_back();
        return fiber;
    }
    void give_back(Fiber* fiber) { free.push_back(fiber); }
    void start_afresh();               // all are free again, whatever they were doing
    bool holds(const void* address) const { return region <= address && address < region + region_bytes; }

private:
    void grow();
    void rewind(Fiber& fiber, size_t index);

    void (*main)();
    unsigned char* region = nullptr;
    size_t region_bytes = 0;
    std::vector<Fiber> all;
    std::vector<Fiber*> free;
};

} // namespace emulator
