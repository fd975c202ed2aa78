// program.cpp: a part of every kernel program: its list of kernels, and where its static shared memory lies.
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

struct Found {
    uintptr_t inside;
    unsigned char* begin;
    size_t bytes;
};

int look(dl_phdr_info* module, size_t, void* data)
{
    Found& found = *static_cast<Found*>(data);
    bool is_mine = false;
    size_t bytes = 0;
    for (int i = 0; i < module->dlpi_phnum; i++) {
        const auto& part = module->dlpi_phdr[i];
        const uintptr_t begin = module->dlpi_addr + part.p_vaddr;
        if (part.p_type == PT_LOAD && begin <= found.inside && found.inside < begin + part.p_memsz) is_mine = true;
        if (part.p_type == PT_TLS) bytes = part.p_memsz;
    }
    if (!is_mine) return 0;
    found.begin = static_cast<unsigned char*>(module->dlpi_tls_data);
    found.bytes = bytes;
    return 1;
}

} // namespace

extern "C" void emulator::emulated_static_shared(unsigned char** begin, size_t* bytes)
{
    touched = 1;                       // a thread's copy of a library's thread-local variables exists from the first use on
    Found found{reinterpret_cast<uintptr_t>(&look), nullptr, 0};
    dl_iterate_phdr(look, &found);
    *begin = found.begin;
    *bytes = found.begin ? found.bytes : 0;
}
