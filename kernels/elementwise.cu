// elementwise.cu: one value for every element; the second writer of a gradient; between element types.
// Math     fill: y[i] = value     add: y[i] += x[i]     convert: y[i] = x[i] rounded to y's type, to nearest, ties to even
// Shapes   y, x [n]. fill and add: y and x of one type of three; convert: each of any of the three
// Launch   any one-dimensional grid and block, 8 elements a thread and turn; no shared memory
// Traffic  fill writes n elements; add reads 2n and writes n; convert reads n and writes n
// Work     add: n FLOP; bound by memory bandwidth. Where all addresses are multiples of 16, loads and stores are of 16 bytes
// Access   fill: y Write     add: y Accumulate, x Read     convert: y Write, x Read
#include "common.cuh"

template <class T> __device__ __forceinline__ void fill(T* __restrict__ y, long long n, float value)
{
    const float eight[8] = {value, value, value, value, value, value, value, value};
    const long long groups = wide(y) ? n / 8 : 0;
    UNROLL_BY(1) for (long long i = grid_thread(); i < groups; i += grid_threads()) store8(y + 8 * i, eight);
    for (long long i = 8 * groups + grid_thread(); i < n; i += grid_threads()) y[i] = rounded<T>(value);
}

template <class T> __device__ __forceinline__ void add(T* __restrict__ y, const T* __restrict__ x, long long n)
{
    const long long groups = wide(y, x) ? n / 8 : 0;
    UNROLL_BY(1) for (long long i = grid_thread(); i < groups; i += grid_threads()) {
        float a[8], b[8];
        load8(a, y + 8 * i);
        load8(b, x + 8 * i);
        UNROLL for (int j = 0; j < 8; j++) a[j] += b[j];
        store8(y + 8 * i, a);
    }
    for (long long i = 8 * groups + grid_thread(); i < n; i += grid_threads()) y[i] = rounded<T>(to_float(y[i]) + to_float(x[i]));
}

template <class T, class U> __device__ __forceinline__ void convert(T* __restrict__ y, const U* __restrict__ x, long long n)
{
    const long long groups = wide(y, x) ? n / 8 : 0;
    UNROLL_BY(1) for (long long i = grid_thread(); i < groups; i += grid_threads()) {
        float v[8];
        load8(v, x + 8 * i);
        store8(y + 8 * i, v);
    }
    for (long long i = 8 * groups + grid_thread(); i < n; i += grid_threads()) y[i] = rounded<T>(to_float(x[i]));
}

#define CONVERT(T, U) \
    extern "C" __global__ __launch_bounds__(256) void convert_##T##_##U(T* __restrict__ y, const U* __restrict__ x, long long n) { convert<T, U>(y, x, n); } \
    EXPORT_KERNEL(convert_##T##_##U)
#define INSTANCE(T) \
    extern "C" __global__ __launch_bounds__(256) void fill_##T(T* __restrict__ y, long long n, float value) { fill<T>(y, n, value); } \
    EXPORT_KERNEL(fill_##T) \
    extern "C" __global__ __launch_bounds__(256) void add_##T(T* __restrict__ y, const T* __restrict__ x, long long n) { add<T>(y, x, n); } \
    EXPORT_KERNEL(add_##T) \
    CONVERT(T, f32) \
    CONVERT(T, f16) \
    CONVERT(T, bf16)
INSTANCE(f32)
INSTANCE(f16)
INSTANCE(bf16)
#undef INSTANCE
#undef CONVERT
