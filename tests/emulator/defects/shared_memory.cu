// shared_memory.cu: planted defects of shared memory: read before it is written, or while a copy to it is under way.
#include "common.cuh"

// The last element is never written.
extern "C" __global__ void unwritten_static(float* __restrict__ y)
{
    __shared__ float board[33];
    board[threadIdx.x] = 1.0f;
    __syncthreads();
    y[threadIdx.x] = board[threadIdx.x + 1];                             // defect
}
EXPORT_KERNEL(unwritten_static)
extern "C" __global__ void unwritten_static_repaired(float* __restrict__ y)
{
    __shared__ float board[33];
    board[threadIdx.x] = 1.0f;
    if (threadIdx.x == 0) board[32] = 1.0f;
    __syncthreads();
    y[threadIdx.x] = board[threadIdx.x + 1];
}
EXPORT_KERNEL(unwritten_static_repaired)

extern "C" __global__ void unwritten_dynamic(float* __restrict__ y)
{
    DYNAMIC_SHARED(float, board);
    board[threadIdx.x] = 1.0f;
    __syncthreads();
    y[threadIdx.x] = board[threadIdx.x + 1];                             // defect
}
EXPORT_KERNEL(unwritten_dynamic)
extern "C" __global__ void unwritten_dynamic_repaired(float* __restrict__ y)
{
    DYNAMIC_SHARED(float, board);
    board[threadIdx.x] = 1.0f;
    if (threadIdx.x == 0) board[32] = 1.0f;
    __syncthreads();
    y[threadIdx.x] = board[threadIdx.x + 1];
}
EXPORT_KERNEL(unwritten_dynamic_repaired)

// Two groups of copies; one may still be under way when the second is read.
extern "C" __global__ void early_read(float* __restrict__ y, const float* __restrict__ x)
{
    __shared__ __align__(16) float board[2][128];
    for (int group = 0; group < 2; group++) {
        cp_async16(&board[group][4 * threadIdx.x], x + 4 * threadIdx.x);
        cp_async_commit();
    }
    cp_async_wait<1>();
    __syncthreads();
    for (int i = threadIdx.x; i < 128; i += 32) y[i] = board[1][i];      // defect
}
EXPORT_KERNEL(early_read)
extern "C" __global__ void early_read_repaired(float* __restrict__ y, const float* __restrict__ x)
{
    __shared__ __align__(16) float board[2][128];
    for (int group = 0; group < 2; group++) {
        cp_async16(&board[group][4 * threadIdx.x], x + 4 * threadIdx.x);
        cp_async_commit();
    }
    cp_async_wait<0>();
    __syncthreads();
    for (int i = threadIdx.x; i < 128; i += 32) y[i] = board[1][i];
}
EXPORT_KERNEL(early_read_repaired)

extern "C" __global__ void misaligned_copy(float* __restrict__ y, const float* __restrict__ x)
{
    __shared__ __align__(16) float board[132];
    cp_async16(board + 1 + 4 * threadIdx.x, x + 4 * threadIdx.x);        // defect
    cp_async_commit();
    cp_async_wait<0>();
    __syncthreads();
    for (int i = threadIdx.x; i < 128; i += 32) y[i] = board[1 + i];
}
EXPORT_KERNEL(misaligned_copy)
extern "C" __global__ void misaligned_copy_repaired(float* __restrict__ y, const float* __restrict__ x)
{
    __shared__ __align__(16) float board[132];
    cp_async16(board + 4 + 4 * threadIdx.x, x + 4 * threadIdx.x);
    cp_async_commit();
    cp_async_wait<0>();
    __syncthreads();
    for (int i = threadIdx.x; i < 128; i += 32) y[i] = board[4 + i];
}
EXPORT_KERNEL(misaligned_copy_repaired)

// A row too many of an array whose size is known.
extern "C" __global__ void beyond_static(float* __restrict__ y, int n)
{
    __shared__ float board[4][32];
    for (int i = 0; i < n; i++) board[i][threadIdx.x] = 1.0f;            // defect
    __syncthreads();
    y[threadIdx.x] = board[0][31 - threadIdx.x];
}
EXPORT_KERNEL(beyond_static)
extern "C" __global__ void beyond_static_repaired(float* __restrict__ y, int n)
{
    __shared__ float board[4][32];
    for (int i = 0; i < n && i < 4; i++) board[i][threadIdx.x] = 1.0f;
    __syncthreads();
    y[threadIdx.x] = board[0][31 - threadIdx.x];
}
EXPORT_KERNEL(beyond_static_repaired)

// More than the launch asks for.
extern "C" __global__ void beyond_dynamic(float* __restrict__ y)
{
    DYNAMIC_SHARED(float, board);
    board[threadIdx.x + 2] = 1.0f;                                       // defect
    __syncwarp();
    y[threadIdx.x] = board[threadIdx.x + 2];
}
EXPORT_KERNEL(beyond_dynamic)
extern "C" __global__ void beyond_dynamic_repaired(float* __restrict__ y)
{
    DYNAMIC_SHARED(float, board);
    board[threadIdx.x] = 1.0f;
    __syncwarp();
    y[threadIdx.x] = board[threadIdx.x];
}
EXPORT_KERNEL(beyond_dynamic_repaired)

// Warps read what other warps write. Forward order makes it look right.
extern "C" __global__ void missing_barrier(float* __restrict__ y)
{
    __shared__ float board[64];
    board[threadIdx.x] = (float)threadIdx.x;
    __syncwarp();
    y[threadIdx.x] = board[threadIdx.x % 32];                            // defect
}
EXPORT_KERNEL(missing_barrier)
extern "C" __global__ void missing_barrier_repaired(float* __restrict__ y)
{
    __shared__ float board[64];
    board[threadIdx.x] = (float)threadIdx.x;
    __syncthreads();
    y[threadIdx.x] = board[threadIdx.x % 32];
}
EXPORT_KERNEL(missing_barrier_repaired)

// The second turn overwrites what slow threads still read.
extern "C" __global__ void one_barrier_short(float* __restrict__ y)
{
    __shared__ float board[64];
    for (int turn = 0; turn < 2; turn++) {
        board[threadIdx.x] = (float)(threadIdx.x + turn);                // defect
        __syncthreads();
        y[threadIdx.x] = board[63 - threadIdx.x];
    }
}
EXPORT_KERNEL(one_barrier_short)
extern "C" __global__ void one_barrier_short_repaired(float* __restrict__ y)
{
    __shared__ float board[64];
    for (int turn = 0; turn < 2; turn++) {
        board[threadIdx.x] = (float)(threadIdx.x + turn);
        __syncthreads();
        y[threadIdx.x] = board[63 - threadIdx.x];
        __syncthreads();
    }
}
EXPORT_KERNEL(one_barrier_short_repaired)
