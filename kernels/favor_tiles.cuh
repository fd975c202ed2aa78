// favor_tiles.cuh: the two tiled products of which all FAVOR+ kernels without tensor cores are made, in float32.
// A block of ROWS threads owns ROWS rows (features in sums over tokens, tokens in sums over features) and runs over the other index, 32 at a time:
//   multiply      t[i][r] = sum_d x(i, d) y(r, d)          32 x ROWS, depth D, 4 x 8 numbers a thread, left in registers
//   keep          registers to the shared tile, where thread r, and no other, works through row r: maxima, exponentials, sums in order
//   accumulate    acc[r][c] += sum_i tile[i][r] z(i, c)    ROWS x VALUE_COLUMNS, depth 32, 8 x COLUMNS numbers a thread, in registers for the whole kernel
// Geometry comes as -D: ELEMENT (f32, f16 or bf16: activations and their gradients), HEAD_WIDTH D, FEATURES M, KEY_ROWS, TOKEN_ROWS (multiples of 32), VALUE_COLUMNS (a multiple of 8), SPLIT_TOKENS.
// Shared   tile 128 ROWS bytes, operands 64 (ROWS + 40) or 128 VALUE_COLUMNS bytes: 21.6 KB for 96 rows and 64 columns, three blocks on a 64 KB multiprocessor.
// Words 2..4 of a tile's row index are exclusive-ored with the inner index: both products and the rows' threads meet no bank twice.
#pragma once
#include "common.cuh"

typedef ELEMENT element;

#define FEATURE_MAP_EPSILON 1e-4f
#define INNER 32
#define DEPTH 16
#define INNER_STRIDE (INNER + 4)
#define COLUMNS (VALUE_COLUMNS / 8)
#define VALUE_CHUNKS ((HEAD_WIDTH + VALUE_COLUMNS - 1) / VALUE_COLUMNS)
#define KEY_GROUPS ((FEATURES + KEY_ROWS - 1) / KEY_ROWS)

// Three, and with two accumulators two, blocks of 96 threads a multiprocessor: at most 168 and 255 registers a thread.
#define BOUNDS(ROWS) __launch_bounds__(ROWS, 288 / (ROWS))
#define BOUNDS_OF_TWO(ROWS) __launch_bounds__(ROWS, 192 / (ROWS))

enum Squares { NO_SQUARES, SQUARES_OF_INNER, SQUARES_OF_ROWS };

template <int ROWS> struct __align__(16) Board {
    float tile[INNER * ROWS];
    float operands[DEPTH * (INNER_STRIDE + ROWS + 4) > INNER * VALUE_COLUMNS ? DEPTH * (INNER_STRIDE + ROWS + 4) : INNER * VALUE_COLUMNS];
    float rows[ROWS];        // a number a row, from its thread to all
    float inner[INNER];      // a number an inner index
};

// e^x for x <= 0, within 3 ulp; 0 below -87. The product with log2(e) is carried on by what its rounding leaves: |x| roundoffs would show in dk.
#define LOG2E_REST 1.9259630e-8f
__device__ __forceinline__ float exponential(float x)
{
    const float power = x * LOG2E, y = ex2(power);
    const float rest = fmaf(x, LOG2E_REST, fmaf(x, LOG2E, -power));
    return x < -87.f ? y : fmaf(y, rest * LN2, y);
}

// The rows, inner indices and columns whose numbers this thread holds.
template <int ROWS> __device__ __forceinline__ int row_of(int r) { return r / 4 * (ROWS / 2) + threadIdx.x / 8 * 4 + r % 4; }
__device__ __forceinline__ int inner_of(int i) { return threadIdx.x % 8 * 4 + i; }
__device__ __forceinline__ int column_of(int c) { return COLUMNS % 4 == 0 ? c / 4 * 32 + threadIdx.x % 8 * 4 + c % 4 : c * 8 + threadIdx.x % 8; }
template <int ROWS> __device__ __forceinline__ int tile_at(int inner, int row) { return inner * ROWS + (row ^ (inner & 28)); }

__device__ __forceinline__ void load4(float* to, const float* from)
{
    const float4 x = *(const float4*)from;
    to[0] = x.x; to[1] = x.y; to[2] = x.z; to[3] = x.w;
}
__device__ __forceinline__ void store4(float* to, const float* from) { *(float4*)to = make_float4(from[0], from[1], from[2], from[3]); }

// One operand's numbers d0 .. d0 + DEPTH - 1 to shared memory: f(row, d) of the first count of COUNT rows, zeros of the others. Eight loads of a thread are in
// flight together; places outside load what is inside, for a condition at each load would be a branch.
template <int ROWS, int COUNT, class F> __device__ __forceinline__ void fetch_operand(float* to, int d0, int count, F f)
{
    const int d = threadIdx.x % DEPTH;
    UNROLL_BY(1) for (int at = 0; at < (COUNT * DEPTH + ROWS - 1) / ROWS; at += 8) {
        const int first = not_ahead(at * (ROWS / DEPTH) + threadIdx.x / DEPTH);
        float x[8];
        UNROLL for (int e = 0; e < 8; e++) {
            const int row = first + e * (ROWS / DEPTH);
            const float loaded = f(min(row, count - 1), min(d0 + d, HEAD_WIDTH - 1));
            x[e] = row < count && d0 + d < HEAD_WIDTH ? loaded : 0.f;
        }
        UNROLL for (int e = 0; e < 8; e++) {
            const int row = first + e * (ROWS / DEPTH);
            if (row < COUNT) to[d * (COUNT + 4) + row] = x[e];
        }
    }
}

// t[i][r] = sum over d of x(i, d) y(r, d), zero beyond so many inner indices and rows, at least one each. Returns the sum of squares of x(threadIdx.x, .), of y(threadIdx.x, .), or nothing. Leaves the operands in use: sync first.
template <int ROWS, Squares SQUARES, class X, class Y>
__device__ __forceinline__ float multiply(float (&t)[4][8], Board<ROWS>& board, int inner, X x, int rows, Y y)
{
    float* xs = board.operands;
    float* ys = board.operands + DEPTH * INNER_STRIDE;
    float squares = 0.f;
    UNROLL for (int i = 0; i < 4; i++) UNROLL for (int r = 0; r < 8; r++) t[i][r] = 0.f;
    UNROLL_BY(1) for (int d0 = 0; d0 < HEAD_WIDTH; d0 += DEPTH) {
        __syncthreads();
        fetch_operand<ROWS, INNER>(xs, d0, inner, x);
        fetch_operand<ROWS, ROWS>(ys, d0, rows, y);
        __syncthreads();
        UNROLL_BY(8) for (int d = 0; d < DEPTH; d++) {
            float a[4], b[8];
            load4(a, xs + d * INNER_STRIDE + inner_of(0));
            load4(b, ys + d * (ROWS + 4) + row_of<ROWS>(0));
            load4(b + 4, ys + d * (ROWS + 4) + row_of<ROWS>(4));
            UNROLL for (int i = 0; i < 4; i++) UNROLL for (int r = 0; r < 8; r++) t[i][r] = fmaf(a[i], b[r], t[i][r]);
        }
        if (SQUARES == SQUARES_OF_INNER && threadIdx.x < INNER)
            UNROLL for (int d = 0; d < DEPTH; d++) squares = fmaf(xs[d * INNER_STRIDE + threadIdx.x], xs[d * INNER_STRIDE + threadIdx.x], squares);
        if (SQUARES == SQUARES_OF_ROWS)
            UNROLL for (int d = 0; d < DEPTH; d++) squares = fmaf(ys[d * (ROWS + 4) + threadIdx.x], ys[d * (ROWS + 4) + threadIdx.x], squares);
    }
    return squares;
}

// The product to the shared tile. Sync afterwards.
template <int ROWS> __device__ __forceinline__ void keep(Board<ROWS>& board, const float (&t)[4][8])
{
    UNROLL for (int i = 0; i < 4; i++) {
        store4(board.tile + tile_at<ROWS>(inner_of(i), row_of<ROWS>(0)), t[i]);
        store4(board.tile + tile_at<ROWS>(inner_of(i), row_of<ROWS>(4)), t[i] + 4);
    }
}

// Each number of the tile from itself and what this thread holds beside it: f(i, r, tile). Sync before and after.
template <int ROWS, class F> __device__ __forceinline__ void combine(Board<ROWS>& board, F f)
{
    UNROLL for (int i = 0; i < 4; i++) UNROLL for (int half = 0; half < 8; half += 4) {
        float* at = board.tile + tile_at<ROWS>(inner_of(i), row_of<ROWS>(half));
        float x[4];
        load4(x, at);
        UNROLL for (int r = 0; r < 4; r++) x[r] = f(i, half + r, x[r]);
        store4(at, x);
    }
}

// The right operand of accumulate: z(i, column) for so many of the 32 inner indices, at least one, and the columns from column0, else zero. Sync before (operands
// are free) and after.
template <int ROWS, class Z> __device__ __forceinline__ void fetch_values(Board<ROWS>& board, int inner, int column0, Z z)
{
    UNROLL_BY(1) for (int at = 0; at < INNER * VALUE_COLUMNS; at += 8 * ROWS) {
        const int first = not_ahead(at + threadIdx.x);
        float x[8];
        UNROLL for (int e = 0; e < 8; e++) {
            const int i = (first + e * ROWS) / VALUE_COLUMNS, column = column0 + (first + e * ROWS) % VALUE_COLUMNS;
            const float loaded = z(min(i, inner - 1), min(column, HEAD_WIDTH - 1));
            x[e] = i < inner && column < HEAD_WIDTH ? loaded : 0.f;
        }
        UNROLL for (int e = 0; e < 8; e++) if (first + e * ROWS < INNER * VALUE_COLUMNS) board.operands[first + e * ROWS] = x[e];
    }
}

// acc[r][c] += sum over i of tile[i][r] z(i, c).
template <int ROWS> __device__ __forceinline__ void accumulate(float (&acc)[8][COLUMNS], const Board<ROWS>& board)
{
    UNROLL_BY(8) for (int i = 0; i < INNER; i++) {
        float a[8], b[COLUMNS];
        load4(a, board.tile + tile_at<ROWS>(i, row_of<ROWS>(0)));
        load4(a + 4, board.tile + tile_at<ROWS>(i, row_of<ROWS>(4)));
        const float* row = board.operands + i * VALUE_COLUMNS;
        if (COLUMNS % 4 == 0) UNROLL for (int c = 0; c < COLUMNS; c += 4) load4(b + c, row + column_of(c));
        else UNROLL for (int c = 0; c < COLUMNS; c++) b[c] = row[column_of(c)];
        UNROLL for (int r = 0; r < 8; r++) UNROLL for (int c = 0; c < COLUMNS; c++) acc[r][c] = fmaf(a[r], b[c], acc[r][c]);
    }
}

// Sums over the inner index of the columns x * KEY_ROWS + threadIdx.x of the right operand.
#define COLUMNS_OF_THREAD ((VALUE_COLUMNS + KEY_ROWS - 1) / KEY_ROWS)
__device__ __forceinline__ void add_columns(float (&totals)[COLUMNS_OF_THREAD], const Board<KEY_ROWS>& board)
{
    UNROLL for (int x = 0; x < COLUMNS_OF_THREAD; x++) {
        const int c = x * KEY_ROWS + threadIdx.x;
        if (c < VALUE_COLUMNS) UNROLL_BY(8) for (int i = 0; i < INNER; i++) totals[x] += board.operands[i * VALUE_COLUMNS + c];
    }
}

template <int ROWS> __device__ __forceinline__ void clear(float (&acc)[8][COLUMNS])
{
    UNROLL for (int r = 0; r < 8; r++) UNROLL for (int c = 0; c < COLUMNS; c++) acc[r][c] = 0.f;
}

// Rows times board.rows: 1 for most of them once the references have risen.
template <int ROWS> __device__ __forceinline__ void rescale(float (&acc)[8][COLUMNS], const Board<ROWS>& board)
{
    UNROLL for (int r = 0; r < 8; r++) {
        const float factor = board.rows[row_of<ROWS>(r)];
        if (factor != 1.f) UNROLL for (int c = 0; c < COLUMNS; c++) acc[r][c] *= factor;
    }
}

// Where a head's rows begin in q, k, v [B T, H D]; heads are counted through all cells.
__device__ __forceinline__ size_t head_at(int unit, int heads, int tokens) { return (size_t)(unit / heads) * tokens * heads * HEAD_WIDTH + unit % heads * HEAD_WIDTH; }
