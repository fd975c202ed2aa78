// async_copy.h: copies to shared memory that are under way until they are waited for. Until then the destination holds NaN; a wait for the
// copy makes it, as late as the device ever does.
#pragma once
#include "warp.h"

namespace emulator {
EMULATOR_API void copy_later(void* to, const void* from, const char* file, int line);
EMULATOR_API void close_copy_group();
EMULATOR_API void wait_for_copies(int groups_left);
}

static inline void cp_async16(void* shared, const void* global, EMULATOR_HERE) { emulator::copy_later(shared, global, file, line); }
static inline void cp_async_commit() { emulator::close_copy_group(); }
template <int N> static inline void cp_async_wait() { emulator::wait_for_copies(N); }
