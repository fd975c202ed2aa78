// order.cu: planted defects that only another order of threads or blocks shows.
#include "common.cuh"

// Lane 0 reads what its neighbour has perhaps not written yet.
extern "C" __global__ void missing_syncwarp(float* __restrict__ y)
{
    __shared__ float board[32];
    board[threadIdx.x] = (float)threadIdx.x;
    y[threadIdx.x] = board[31 - threadIdx.x];                            // defect
}
EXPORT_KERNEL(missing_syncwarp)
extern "C" __global__ void missing_syncwarp_repaired(float* __restrict__ y)
{
    __shared__ float board[32];
    board[threadIdx.x] = (float)threadIdx.x;
    __syncwarp();
    y[threadIdx.x] = board[31 - threadIdx.x];
}
EXPORT_KERNEL(missing_syncwarp_repaired)

// Every block writes the same element.
extern "C" __global__ void shared_target(float* __restrict__ y)
{
    if (threadIdx.x == 0) y[0] = (float)blockIdx.x;                      // defect
}
EXPORT_KERNEL(shared_target)
extern "C" __global__ void shared_target_repaired(float* __restrict__ y)
{
    if (threadIdx.x == 0) y[blockIdx.x] = (float)blockIdx.x;
}
EXPORT_KERNEL(shared_target_repaired)
