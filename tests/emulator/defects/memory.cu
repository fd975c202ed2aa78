// memory.cu: planted defects of global memory and of the stack.
#include "common.cuh"

// An optional tensor that is absent.
extern "C" __global__ void null_pointer(float* __restrict__ y, const float* __restrict__ x) { y[threadIdx.x] = x[threadIdx.x]; }   // defect
EXPORT_KERNEL(null_pointer)
extern "C" __global__ void null_pointer_repaired(float* __restrict__ y, const float* __restrict__ x) { y[threadIdx.x] = x ? x[threadIdx.x] : 0.0f; }
EXPORT_KERNEL(null_pointer_repaired)

// A local array that is larger than the stack.
extern "C" __global__ void large_local(float* __restrict__ y, int n)
{
    volatile float local[20000];
    for (int i = 0; i < 20000; i++) local[i] = (float)(i + n);           // defect
    y[threadIdx.x] = local[threadIdx.x];
}
EXPORT_KERNEL(large_local)
extern "C" __global__ void large_local_repaired(float* __restrict__ y, int n)
{
    volatile float local[200];
    for (int i = 0; i < 200; i++) local[i] = (float)(i + n);
    y[threadIdx.x] = local[threadIdx.x];
}
EXPORT_KERNEL(large_local_repaired)
