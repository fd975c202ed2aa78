// tensor_cores.cpp: the fragments of a warp put together, multiplied and handed out again. PTX ISA, "Matrix Fragments for mma.m16n8k16".
#include "worker.h"
#include "tensor_cores.h"
#ifdef __F16C__
#include <immintrin.h>
#endif

namespace emulator {

constexpr int Rows = 16, Columns = 8, Depth = 16;
typedef float Row __attribute__((vector_size(Columns * sizeof(float))));

void warp_multiply(WarpOperation operation, float* d, const unsigned* a, const unsigned* b, const char* file, int line) { worker->warp_multiply(operation, d, a, b, file, line); }
void warp_load_matrices(WarpOperation operation, unsigned* r, const void* row, const char* file, int line) { worker->warp_load_matrices(operation, r, row, file, line); }

void Worker::warp_multiply(WarpOperation operation, float* d, const unsigned* a, const unsigned* b, const char* file, int line)
{
    Warp& warp = warps[running->warp];
    const int lane = running->lane;
    warp.output[lane] = d;
    warp.first[lane] = a;
    warp.second[lane] = b;
    meet(~0u, operation, file, line);
}

void Worker::warp_load_matrices(WarpOperation operation, unsigned* r, const void* row, const char* file, int line)
{
    if (reinterpret_cast<uintptr_t>(row) % 16 != 0) fail(file, line, "ldmatrix: the address of a row is not a multiple of 16 bytes");
    observe(row, 16, Access::Read, file, line);
    Warp& warp = warps[running->warp];
    const int lane = running->lane;
    warp.output[lane] = r;
    warp.first[lane] = row;
    meet(~0u, operation, file, line);
}

static void widen(float* to, const unsigned short* from, bool is_bf16)
{
    if (is_bf16) {
        for (int i = 0; i < 8; i++) to[i] = to_float(bf16{from[i]});
        return;
    }
#ifdef __F16C__
    _mm256_storeu_ps(to, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
#else
    for (int i = 0; i < 8; i++) to[i] = to_float(f16{from[i]});
#endif
}

// A sum as tensor cores make it: all products of a group and the sum so far are shifted to the largest exponent among them, cut off there, and
// added exactly; the result is cut off, not rounded (Fasi et al. 2021, "Numerical behavior of NVIDIA tensor cores": groups of 8 on the A100).
static float truncated_sum(float sum, const float* a, const float (*b)[Columns], int column)
{
    constexpr int Group = 8, KeptBits = 25;
    for (int from = 0; from < Depth; from += Group) {
        double terms[Group + 1], largest = 0;
        for (int k = 0; k < Group; k++) terms[k] = (double)a[from + k] * b[from + k][column];
        terms[Group] = sum;
        bool is_finite = true;
        for (double term : terms) {
            is_finite &= std::isfinite(term);
            largest = fmax(largest, fabs(term));
        }
        double total = 0;
        if (!is_finite || largest == 0) {
            for (double term : terms) total += term;
            sum = (float)total;
            continue;
        }
        const int exponent = ilogb(largest);
        for (double term : terms) total += ldexp(trunc(ldexp(term, KeptBits - 1 - exponent)), exponent - KeptBits + 1);
        sum = (float)total;
        if (fabs((double)sum) > fabs(total)) sum = nextafterf(sum, 0.0f);
    }
    return sum;
}

void multiply_fragments(Warp& warp, bool is_bf16, bool truncates)
{
    unsigned words[Rows][Depth / 2];
    unsigned short columns[Depth][Columns];
    alignas(32) float a[Rows][Depth], b[Depth][Columns], d[Rows][Columns];
    for (int lane = 0; lane < 32; lane++) {
        const int g = lane / 4, t = lane % 4;
        const unsigned* fragment = static_cast<const unsigned*>(warp.first[lane]);
        for (int i = 0; i < 4; i++) words[g + 8 * (i % 2)][t + 4 * (i / 2)] = fragment[i];
        fragment = static_cast<const unsigned*>(warp.second[lane]);
        for (int i = 0; i < 2; i++) {
            columns[8 * i + 2 * t][g] = (unsigned short)fragment[i];
            columns[8 * i + 2 * t + 1][g] = (unsigned short)(fragment[i] >> 16);
        }
        const float* sums = static_cast<const float*>(warp.output[lane]);
        for (int i = 0; i < 4; i++) d[g + 8 * (i / 2)][2 * t + i % 2] = sums[i];
    }
    for (int r = 0; r < Rows; r++) {
        unsigned short halves[Depth];
        memcpy(halves, words[r], sizeof halves);
        widen(a[r], halves, is_bf16);
        widen(a[r] + 8, halves + 8, is_bf16);
    }
    for (int k = 0; k < Depth; k++) widen(b[k], columns[k], is_bf16);
    for (int r = 0; r < Rows; r++) {
        if (truncates) {
            for (int n = 0; n < Columns; n++) d[r][n] = truncated_sum(d[r][n], a[r], b, n);
            continue;
        }
        Row sums = *reinterpret_cast<const Row*>(d[r]);
        for (int k = 0; k < Depth; k++) sums += a[r][k] * *reinterpret_cast<const Row*>(b[k]);
        *reinterpret_cast<Row*>(d[r]) = sums;
    }
    for (int lane = 0; lane < 32; lane++) {
        const int g = lane / 4, t = lane % 4;
        float* sums = static_cast<float*>(warp.output[lane]);
        for (int i = 0; i < 4; i++) sums[i] = d[g + 8 * (i / 2)][2 * t + i % 2];
    }
}

void load_matrices(Warp& warp, bool transposed)
{
    for (int lane = 0; lane < 32; lane++) {
        const int g = lane / 4, t = lane % 4;
        unsigned* result = static_cast<unsigned*>(warp.output[lane]);
        for (int matrix = 0; matrix < 4; matrix++) {
            const auto at = [&](int row, int column) { return (unsigned)static_cast<const unsigned short*>(warp.first[8 * matrix + row])[column]; };
            result[matrix] = transposed ? at(2 * t, g) | at(2 * t + 1, g) << 16 : at(g, 2 * t) | at(g, 2 * t + 1) << 16;
        }
    }
}

} // namespace emulator
