// requests.cu: not defects, but loads and stores whose cost is known: a store to shared memory, a load of the same, a store to global memory.
#include "common.cuh"

extern "C" __global__ void consecutive(float* __restrict__ y)
{
    __shared__ float board[32];
    board[threadIdx.x] = 1.0f;
    __syncwarp();
    y[threadIdx.x] = board[threadIdx.x];
}
EXPORT_KERNEL(consecutive)

// A sector for each element; every lane has a bank of its own.
extern "C" __global__ void strided(float* __restrict__ y)
{
    __shared__ float board[32];
    board[31 - threadIdx.x] = 1.0f;
    __syncwarp();
    y[threadIdx.x * 32] = board[31 - threadIdx.x];
}
EXPORT_KERNEL(strided)

// A column of a square lies in one bank, unless its rows are a word longer.
extern "C" __global__ void column_of_square(float* __restrict__ y)
{
    __shared__ float board[32][32];
    board[threadIdx.x][0] = 1.0f;
    __syncwarp();
    y[threadIdx.x] = board[threadIdx.x][0];
}
EXPORT_KERNEL(column_of_square)
extern "C" __global__ void padded_column(float* __restrict__ y)
{
    __shared__ float board[32][33];
    board[threadIdx.x][0] = 1.0f;
    __syncwarp();
    y[threadIdx.x] = board[threadIdx.x][0];
}
EXPORT_KERNEL(padded_column)

// Sixteen bytes a lane: eight lanes at once.
extern "C" __global__ void sixteen_bytes(float* __restrict__ y)
{
    __shared__ float4 board[32];
    board[threadIdx.x] = make_float4(1.0f, 2.0f, 3.0f, 4.0f);
    __syncwarp();
    reinterpret_cast<float4*>(y)[threadIdx.x] = board[threadIdx.x];
}
EXPORT_KERNEL(sixteen_bytes)
