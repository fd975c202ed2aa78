// barriers.cu: kernels with a planted defect, each beside its repaired twin: threads that do not meet where they must.
#include "common.cuh"

// Half of the block waits for a warp operation of lanes that wait for the block.
extern "C" __global__ void divergent_barrier(float* __restrict__ y)
{
    if (threadIdx.x % 2 == 0) __syncthreads();
    else y[threadIdx.x] = __shfl_xor_sync(FULL_WARP, 1.0f, 1);          // defect
}
EXPORT_KERNEL(divergent_barrier)
extern "C" __global__ void divergent_barrier_repaired(float* __restrict__ y)
{
    const float x = __shfl_xor_sync(FULL_WARP, 1.0f, 1);
    __syncthreads();
    if (threadIdx.x % 2 != 0) y[threadIdx.x] = x;
}
EXPORT_KERNEL(divergent_barrier_repaired)

// Two barriers for two halves of the block.
extern "C" __global__ void two_barriers(float* __restrict__ y)
{
    if (threadIdx.x < 32) {
        y[threadIdx.x] = 1.0f;
        __syncthreads();
    } else {
        __syncthreads();                                                  // defect
        y[threadIdx.x] = y[threadIdx.x - 32];
    }
}
EXPORT_KERNEL(two_barriers)
extern "C" __global__ void two_barriers_repaired(float* __restrict__ y)
{
    if (threadIdx.x < 32) y[threadIdx.x] = 1.0f;
    __syncthreads();
    if (threadIdx.x >= 32) y[threadIdx.x] = y[threadIdx.x - 32];
}
EXPORT_KERNEL(two_barriers_repaired)

// Lanes beyond n leave before the sum that needs all of them.
extern "C" __global__ void exited_lanes(float* __restrict__ y, int n)
{
    if ((int)threadIdx.x >= n) return;
    y[threadIdx.x] = __shfl_down_sync(FULL_WARP, (float)threadIdx.x, 1);  // defect
}
EXPORT_KERNEL(exited_lanes)
extern "C" __global__ void exited_lanes_repaired(float* __restrict__ y, int n)
{
    const float x = __shfl_down_sync(FULL_WARP, (float)threadIdx.x, 1);
    if ((int)threadIdx.x < n) y[threadIdx.x] = x;
}
EXPORT_KERNEL(exited_lanes_repaired)

// Lanes of one mask in two operations.
extern "C" __global__ void two_operations(float* __restrict__ y)
{
    const float x = (float)threadIdx.x;
    if (threadIdx.x < 16) y[threadIdx.x] = __shfl_xor_sync(FULL_WARP, x, 1);
    else y[threadIdx.x] = __shfl_xor_sync(FULL_WARP, x, 2);              // defect
}
EXPORT_KERNEL(two_operations)
extern "C" __global__ void two_operations_repaired(float* __restrict__ y)
{
    const float x = (float)threadIdx.x;
    y[threadIdx.x] = __shfl_xor_sync(FULL_WARP, x, threadIdx.x < 16 ? 1 : 2);
}
EXPORT_KERNEL(two_operations_repaired)
