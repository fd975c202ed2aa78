// fibers.cpp: stacks and the switch. x86-64 Linux: this one routine is all that ties the emulator to a processor.
#include "fibers.h"
#include <new>
#include <stdint.h>
#include <sys/mman.h>

asm(R"(
.text
.globl emulator_switch
.hidden emulator_switch
.type emulator_switch,@function
emulator_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size emulator_switch,.-emulator_switch
)");

namespace emulator {

constexpr size_t Page = 4096, MostFibers = 1024;
constexpr size_t StackBytes = 64 * 1024;
// A page that may not be touched, the stack, and a page in which the tops of stacks are spread: equal offsets would share a cache set.
constexpr size_t Stride = Page + StackBytes + Page;

Fibers::~Fibers()
{
    if (region) munmap(region, region_bytes);
}

void Fibers::grow()
{
    if (!region) {
        // Reserved, not taken: a page costs memory when a fiber first touches it.
        void* reserved = mmap(nullptr, Stride * MostFibers, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (reserved == MAP_FAILED) throw std::bad_alloc();
        region = static_cast<unsigned char*>(reserved);
        region_bytes = Stride * MostFibers;
        all.reserve(MostFibers);       // fibers are pointed to
    }
    const size_t index = all.size();
    if (index == MostFibers) throw std::bad_alloc();
    unsigned char* bottom = region + index * Stride;
    mprotect(bottom, Page, PROT_NONE);
    all.push_back({nullptr, bottom + Page});
    rewind(all.back(), index);
    free.push_back(&all.back());
}

void Fibers::rewind(Fiber& fiber, size_t index)
{
    uintptr_t top = reinterpret_cast<uintptr_t>(fiber.stack) + StackBytes + Page - (index * 192) % Page;
    void** stack = reinterpret_cast<void**>(top & ~uintptr_t(63));
    *--stack = nullptr;                                    // where main would return to; it never does
    *--stack = reinterpret_cast<void*>(main);
    for (int saved = 0; saved < 6; saved++) *--stack = nullptr;
    fiber.stack_pointer = stack;
}

void Fibers::start_afresh()
{
    free.clear();
    for (size_t i = all.size(); i-- > 0;) {
        rewind(all[i], i);
        free.push_back(&all[i]);
    }
}

} // namespace emulator
