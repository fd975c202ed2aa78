// elementwise.cu: one value for every element.
// Math     y[i] = value
// Shapes   y [n], any element type
// Launch   any one-dimensional grid and block; no shared memory
// Traffic  writes n elements
// Work     none: bound by memory bandwidth
// Access   y Write
#include "common.cuh"

template <class T> __device__ __forceinline__ void fill(T* __restrict__ y, long long n, float value)
{
    const T v = rounded<T>(value);
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += (long long)gridDim.x * blockDim.x) y[i] = v;
}

#define INSTANCE(T) \
    extern "C" __global__ __launch_bounds__(256) void fill_##T(T* __restrict__ y, long long n, float value) { fill<T>(y, n, value); } \
    EXPORT_KERNEL(fill_##T)
INSTANCE(f32)
INSTANCE(f16)
INSTANCE(bf16)
#undef INSTANCE
