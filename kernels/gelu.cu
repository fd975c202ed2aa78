// gelu.cu: the exact GELU.                                              Hendrycks, Gimpel 2016, arXiv:1606.08415
// Math     y = x Phi(x),     dx = dy (Phi(x) + x phi(x)),     Phi(x) = (1 + erf(x / sqrt 2)) / 2,     phi(x) = exp(-x² / 2) / sqrt(2 pi)
//          erff is 2 ulp and expf 1 to 2 ulp off at most (CUDA programming guide); no fast intrinsic. 1 + erf is exact to the roundoff of 1, as is the
//          tail's contribution: what is lost where Phi is small is lost at the scale of x. The bias is in x already (bias.cu).
// Shapes   all [n], one element type of three; arithmetic float32, rounded once
// Launch   any one-dimensional grid and block, 8 elements a thread and turn; no shared memory
// Traffic  forward reads and writes n elements; backward reads 2n (3n where it adds) and writes n
// Work     about 20 FLOP an element forward, 30 backward: near the balance of bandwidth and instructions in half precision
// Access   forward: y Write, x Read; y may be x     backward: dx Write or Accumulate, dy Read, x Read; dx may be dy where written
#include "common.cuh"

__device__ __forceinline__ float normal_cumulative(float x) { return 0.5f + 0.5f * erff(x * 0.70710678f); }
__device__ __forceinline__ float normal_density(float x) { return 0.39894228f * expf(-0.5f * x * x); }
__device__ __forceinline__ float gelu(float x) { return x * normal_cumulative(x); }
__device__ __forceinline__ float gelu_derivative(float x) { return normal_cumulative(x) + x * normal_density(x); }

template <class T> __device__ __forceinline__ void gelu_forward(T* y, const T* x, long long n)
{
    const long long groups = wide(y, x) ? n / 8 : 0;
    UNROLL_BY(1) for (long long i = grid_thread(); i < groups; i += grid_threads()) {
        float v[8];
        load8(v, x + 8 * i);
        UNROLL for (int j = 0; j < 8; j++) v[j] = gelu(v[j]);
        store8(y + 8 * i, v);
    }
    for (long long i = 8 * groups + grid_thread(); i < n; i += grid_threads()) y[i] = rounded<T>(gelu(to_float(x[i])));
}

template <class T> __device__ __forceinline__ void gelu_backward(T* dx, const T* dy, const T* __restrict__ x, long long n, int accumulate)
{
    const long long groups = wide(dx, dy, x) ? n / 8 : 0;
    UNROLL_BY(1) for (long long i = grid_thread(); i < groups; i += grid_threads()) {
        float v[8], g[8], before[8] = {};
        load8(v, x + 8 * i);
        load8(g, dy + 8 * i);
        if (accumulate) load8(before, dx + 8 * i);
        UNROLL for (int j = 0; j < 8; j++) {
            g[j] *= gelu_derivative(v[j]);
            if (accumulate) g[j] += before[j];
        }
        store8(dx + 8 * i, g);
    }
    for (long long i = 8 * groups + grid_thread(); i < n; i += grid_threads()) {
        const float g = to_float(dy[i]) * gelu_derivative(to_float(x[i]));
        dx[i] = rounded<T>(accumulate ? g + to_float(dx[i]) : g);
    }
}

#define INSTANCE(T) \
    extern "C" __global__ __launch_bounds__(256) void gelu_forward_##T(T* y, const T* x, long long n) { gelu_forward<T>(y, x, n); } \
    EXPORT_KERNEL(gelu_forward_##T) \
    extern "C" __global__ __launch_bounds__(256) \
    void gelu_backward_##T(T* dx, const T* dy, const T* __restrict__ x, long long n, int accumulate) { gelu_backward<T>(dx, dy, x, n, accumulate); } \
    EXPORT_KERNEL(gelu_backward_##T)
INSTANCE(f32)
INSTANCE(f16)
INSTANCE(bf16)
#undef INSTANCE
