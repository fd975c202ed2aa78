// program.cpp: a part of every kernel program: its list of kernels, and where its memory lies.
#include "language.h"
#include <link.h>

extern "C" const emulator::Kernel* const __start_emulated_kernels[] __attribute__((visibility("hidden")));
extern "C" const emulator::Kernel* const __stop_emulated_kernels[] __attribute__((visibility("hidden")));

extern "C" EMULATOR_API const emulator::Kernel* const* emulator_kernels(int* count)
{
    *count = (int)(__stop_emulated_kernels - __start_emulated_kernels);
    return __start_emulated_kernels;
}

namespace {

thread_local volatile char touched;

struct Search {
    uintptr_t inside;
    emulator::ProgramMemory& memory;
};

int look(dl_phdr_info* module, size_t, void* data)
{
    Search& search = *static_cast<Search*>(data);
    uintptr_t begin = UINTPTR_MAX, end = 0;
    size_t bytes = 0;
    for (int i = 0; i < module->dlpi_phnum; i++) {
        const auto& part = module->dlpi_phdr[i];
        if (part.p_type == PT_TLS) bytes = part.p_memsz;
        if (part.p_type != PT_LOAD) continue;
        const uintptr_t first = module->dlpi_addr + part.p_vaddr;
        if (first < begin) begin = first;
        if (first + part.p_memsz > end) end = first + part.p_memsz;
    }
    if (search.inside < begin || search.inside >= end) return 0;
    search.memory = {static_cast<unsigned char*>(module->dlpi_tls_data), module->dlpi_tls_data ? bytes : 0, begin, end};
    return 1;
}

} // namespace

extern "C" void emulator::emulated_memory(ProgramMemory& memory)
{
    touched = 1;                       // a thread's copy of a library's thread-local variables exists from the first use on
    Search search{reinterpret_cast<uintptr_t>(&look), memory};
    dl_iterate_phdr(look, &search);
}
