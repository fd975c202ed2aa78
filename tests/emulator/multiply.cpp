// multiply.cpp: matrix products, in place of the device's library. Each sum runs over ascending k in float32 with fused multiply-adds, so that
// a row's bits depend on that row and on B alone. A tile's sums stay in registers; B is laid out once in panels as wide as a tile.
#include <algorithm>
#include <vector>
#include "halves.h"

namespace {

constexpr int Lanes = 16, TileRows = 6, TileColumns = 2 * Lanes;
typedef float Vector __attribute__((vector_size(Lanes * sizeof(float))));

enum Type { Float32, Float16, BFloat16 };      // as DType

struct Operand {
    const void* values;
    int row, type;
    bool transposed, tf32;

    // Element (i, j) of the operand as it enters the product.
    float at(size_t i, size_t j) const
    {
        const size_t index = transposed ? j * row + i : i * row + j;
        if (type == Float16) return to_float(static_cast<const f16*>(values)[index]);
        if (type == BFloat16) return to_float(static_cast<const bf16*>(values)[index]);
        const float x = static_cast<const float*>(values)[index];
        return tf32 ? rounded_to_tf32(x) : x;
    }

    // To 10 bits of fraction, nearest, ties to even.
    static float rounded_to_tf32(float x)
    {
        const unsigned u = __float_as_uint(x);
        if ((u & 0x7f800000u) == 0x7f800000u) return x;
        return __uint_as_float((u + 0xfffu + (u >> 13 & 1u)) & ~0x1fffu);
    }
};

// Sums of up to TileRows rows by one panel of columns; a [K, TileRows] and b [K, TileColumns] are filled up with zeros.
void tile(Vector (&sums)[TileRows][2], const float* a, const float* b, int K)
{
    for (auto& row : sums) row[0] = row[1] = Vector{};
    for (int k = 0; k < K; k++, a += TileRows, b += TileColumns) {
        Vector left, right;
        memcpy(&left, b, sizeof left);
        memcpy(&right, b + Lanes, sizeof right);
        for (int r = 0; r < TileRows; r++) {
            sums[r][0] += a[r] * left;
            sums[r][1] += a[r] * right;
        }
    }
}

void store(void* C, size_t index, int type, float sum, bool accumulate)
{
    if (type == Float16) {
        f16& c = static_cast<f16*>(C)[index];
        from_float(c, accumulate ? to_float(c) + sum : sum);
    } else if (type == BFloat16) {
        bf16& c = static_cast<bf16*>(C)[index];
        from_float(c, accumulate ? to_float(c) + sum : sum);
    } else {
        float& c = static_cast<float*>(C)[index];
        c = accumulate ? c + sum : sum;
    }
}

} // namespace

// C = op(A) op(B) (+ C), row-major.
extern "C" EMULATOR_API void emulator_multiply(
    int M, int N, int K, void* C, int row_c, const void* A, int row_a, const void* B, int row_b, int operands, int result, int transpose_a, int transpose_b, int accumulate, int tf32)
{
    const Operand left{A, row_a, operands, transpose_a != 0, tf32 != 0}, right{B, row_b, operands, transpose_b != 0, tf32 != 0};
    const int panels = (N + TileColumns - 1) / TileColumns;
    static thread_local std::vector<float> b, a;
    b.assign((size_t)panels * K * TileColumns, 0.0f);
    for (int k = 0; k < K; k++) {
        for (int n = 0; n < N; n++) b[((size_t)(n / TileColumns) * K + k) * TileColumns + n % TileColumns] = right.at(k, n);
    }
    a.assign((size_t)K * TileRows, 0.0f);
    for (int m = 0; m < M; m += TileRows) {
        const int rows = std::min(TileRows, M - m);
        for (int r = 0; r < TileRows; r++) {
            for (int k = 0; k < K; k++) a[(size_t)k * TileRows + r] = r < rows ? left.at(m + r, k) : 0.0f;
        }
        for (int panel = 0; panel < panels; panel++) {
            Vector sums[TileRows][2];
            tile(sums, a.data(), b.data() + (size_t)panel * K * TileColumns, K);
            const int first = panel * TileColumns, columns = std::min(TileColumns, N - first);
            for (int r = 0; r < rows; r++) {
                for (int n = 0; n < columns; n++) store(C, (size_t)(m + r) * row_c + first + n, result, sums[r][n / Lanes][n % Lanes], accumulate != 0);
            }
        }
    }
}
