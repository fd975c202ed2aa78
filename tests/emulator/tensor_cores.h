// tensor_cores.h: matrix products of a warp and the loads that feed them, as in kernels/common.cuh.
#pragma once
#include "halves.h"
#include "warp.h"

namespace emulator {
EMULATOR_API void warp_multiply(WarpOperation operation, float* d, const unsigned* a, const unsigned* b, const char* file, int line);
EMULATOR_API void warp_load_matrices(WarpOperation operation, unsigned* r, const void* row, const char* file, int line);
}

template <class H> static inline void mma_16816(float* d, const unsigned* a, const unsigned* b, EMULATOR_HERE)
{
    constexpr auto operation = std::is_same_v<H, f16> ? emulator::WarpOperation::MultiplyF16 : emulator::WarpOperation::MultiplyBf16;
    emulator::warp_multiply(operation, d, a, b, file, line);
}
static inline void ldmatrix_x4(unsigned* r, const void* row, EMULATOR_HERE) { emulator::warp_load_matrices(emulator::WarpOperation::LoadMatrices, r, row, file, line); }
static inline void ldmatrix_x4_trans(unsigned* r, const void* row, EMULATOR_HERE) { emulator::warp_load_matrices(emulator::WarpOperation::LoadMatricesTransposed, r, row, file, line); }
