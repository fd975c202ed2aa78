// relu.cu: the rectifier; its gradient at 0 is 0.
// Math     y = max(x, 0), NaN stays NaN     dx = dy where y > 0, else 0
// Shapes   all [n], one element type of three
// Launch   any one-dimensional grid and block, 8 elements a thread and turn; no shared memory
// Traffic  forward reads and writes n elements; backward reads 2n (3n where it adds) and writes n
// Work     n FLOP: bound by memory bandwidth
// Access   forward: y Write, x Read; y may be x     backward: dx Write or Accumulate, dy Read, y Read; dx may be dy where written
#include "common.cuh"

__device__ __forceinline__ float relu(float x) { return x < 0.0f ? 0.0f : x; }

template <class T> __device__ __forceinline__ void relu_forward(T* y, const T* x, long long n)
{
    const long long groups = wide(y, x) ? n / 8 : 0;
    UNROLL_BY(1) for (long long i = grid_thread(); i < groups; i += grid_threads()) {
        float v[8];
        load8(v, x + 8 * i);
        UNROLL for (int j = 0; j < 8; j++) v[j] = relu(v[j]);
        store8(y + 8 * i, v);
    }
    for (long long i = 8 * groups + grid_thread(); i < n; i += grid_threads()) y[i] = rounded<T>(relu(to_float(x[i])));
}

template <class T> __device__ __forceinline__ void relu_backward(T* dx, const T* dy, const T* __restrict__ y, long long n, int accumulate)
{
    const long long groups = wide(dx, dy, y) ? n / 8 : 0;
    UNROLL_BY(1) for (long long i = grid_thread(); i < groups; i += grid_threads()) {
        float v[8], g[8], before[8] = {};
        load8(v, y + 8 * i);
        load8(g, dy + 8 * i);
        if (accumulate) load8(before, dx + 8 * i);
        UNROLL for (int j = 0; j < 8; j++) {
            g[j] = v[j] > 0.0f ? g[j] : 0.0f;
            if (accumulate) g[j] += before[j];
        }
        store8(dx + 8 * i, g);
    }
    for (long long i = 8 * groups + grid_thread(); i < n; i += grid_threads()) {
        const float g = to_float(y[i]) > 0.0f ? to_float(dy[i]) : 0.0f;
        dx[i] = rounded<T>(accumulate ? g + to_float(dx[i]) : g);
    }
}

#define INSTANCE(T) \
    extern "C" __global__ __launch_bounds__(256) void relu_forward_##T(T* y, const T* x, long long n) { relu_forward<T>(y, x, n); } \
    EXPORT_KERNEL(relu_forward_##T) \
    extern "C" __global__ __launch_bounds__(256) \
    void relu_backward_##T(T* dx, const T* dy, const T* __restrict__ y, long long n, int accumulate) { relu_backward<T>(dx, dy, y, n, accumulate); } \
    EXPORT_KERNEL(relu_backward_##T)
INSTANCE(f32)
INSTANCE(f16)
INSTANCE(bf16)
#undef INSTANCE
