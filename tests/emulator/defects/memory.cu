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

// One element too many.
extern "C" __global__ void beyond_tensor(float* __restrict__ y, const float* __restrict__ x, int n)
{
    for (int i = threadIdx.x; i < n; i += blockDim.x) y[i] = x[i] + x[i + 1];   // defect
}
EXPORT_KERNEL(beyond_tensor)
extern "C" __global__ void beyond_tensor_repaired(float* __restrict__ y, const float* __restrict__ x, int n)
{
    for (int i = threadIdx.x; i < n; i += blockDim.x) y[i] = x[i] + (i + 1 < n ? x[i + 1] : 0.0f);
}
EXPORT_KERNEL(beyond_tensor_repaired)

// Four floats at once from where four floats may not begin.
extern "C" __global__ void misaligned_load(float* __restrict__ y, const float* __restrict__ x)
{
    const float4 v = *reinterpret_cast<const float4*>(x + 1);            // defect
    y[threadIdx.x] = v.x + v.y + v.z + v.w;
}
EXPORT_KERNEL(misaligned_load)
extern "C" __global__ void misaligned_load_repaired(float* __restrict__ y, const float* __restrict__ x)
{
    const float4 v = *reinterpret_cast<const float4*>(x);
    y[threadIdx.x] = v.x + v.y + v.z + v.w;
}
EXPORT_KERNEL(misaligned_load_repaired)
