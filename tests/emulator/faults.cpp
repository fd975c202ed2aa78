// faults.cpp: an address that is no memory, or a stack that is too small, ends the launch as other defects do.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>
#include "worker.h"

namespace emulator {

constexpr size_t SignalStackBytes = 64 * 1024;
static struct sigaction before[NSIG];
static __thread void* fault_address;

static void land()
{
    char what[100];
    if (worker->holds_stack(fault_address)) snprintf(what, sizeof what, "a thread's local variables need more than its stack of 64 KiB");
    else snprintf(what, sizeof what, "a fault at address %p", fault_address);
    worker->fail(Place{}, nullptr, what);
}

// The fiber that faulted goes on in land(), on a stack of its own: its own may be full.
static void handle(int signal, siginfo_t* information, void* context)
{
    if (worker && worker->is_running()) {
        static thread_local unsigned char* stack = static_cast<unsigned char*>(aligned_alloc(64, SignalStackBytes));
        fault_address = information->si_addr;
        auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
        registers[REG_RSP] = (greg_t)(stack + SignalStackBytes - 64 - 8);
        registers[REG_RIP] = (greg_t)&land;
        return;
    }
    const auto& previous = before[signal];
    if (previous.sa_flags & SA_SIGINFO) previous.sa_sigaction(signal, information, context);
    else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) previous.sa_handler(signal);
    else sigaction(signal, &previous, nullptr);          // returns to the fault, which then ends the process as it would have
}

void catch_faults()
{
    static const bool once = [] {
        struct sigaction action{};
        action.sa_sigaction = handle;
        action.sa_flags = SA_SIGINFO | SA_ONSTACK;
        sigemptyset(&action.sa_mask);
        for (int signal : {SIGSEGV, SIGBUS, SIGFPE}) sigaction(signal, &action, &before[signal]);
        return true;
    }();
    (void)once;
    // A handler cannot run on a stack that is full.
    static thread_local unsigned char* stack = nullptr;
    stack_t current;
    if (stack || sigaltstack(nullptr, &current) != 0 || !(current.ss_flags & SS_DISABLE)) return;
    stack = static_cast<unsigned char*>(malloc(SignalStackBytes));
    stack_t mine{};
    mine.ss_sp = stack;
    mine.ss_size = SignalStackBytes;
    sigaltstack(&mine, nullptr);
}

} // namespace emulator
