// gelu.cu: the exact GELU, of a product whose bias it adds.                                              Hendrycks, Gimpel 2016, arXiv:1606.08415
// Math     z = x + b (b[c] for column c, or no b),     y = z Phi(z),     dx = dy (Phi(z) + z phi(z)),     Phi(x) = (1 + erf(x / sqrt 2)) / 2,     phi(x) = exp(-x² / 2) / sqrt(2 pi)
//          erff is 2 ulp and expf 1 to 2 ulp off at most (CUDA programming guide); no fast intrinsic. 1 + erf is exact to the roundoff of 1, as is the
//          tail's contribution: what is lost where Phi is small is lost at the scale of x.
//          The bias here, in float32, spares a preload of the product's target (bias.cu) written, read and rounded: two of five passes over the hidden units.
// Shapes   x, y, dx, dy [n], one element type of three; n is rows of C columns     b [C] float32 or null     arithmetic float32, rounded once
// Launch   any one-dimensional grid and block, 8 elements a thread and turn; no shared memory
// Traffic  forward reads and writes n elements; backward reads 2n (3n where it adds) and writes n
// Work     about 20 FLOP an element forward, 30 backward: near the balance of bandwidth and instructions in half precision
// Access   forward: y Write, x Read; y may be x     backward: dx Write or Accumulate, dy Read, x Read; dx may be dy where written
#include "common.cuh"

__device__ __forceinline__ float normal_cumulative(float x) { return 0.5f + 0.5f * erff(x * 0.70710678f); }
__device__ __forceinline__ float normal_density(float x) { return 0.39894228f * expf(-0.5f * x * x); }
__device__ __forceinline__ float gelu(float x) { return x * normal_cumulative(x); }
__device__ __forceinline__ float gelu_derivative(float x) { return normal_cumulative(x) + x * normal_density(x); }

// bias may be null; C is its length, and 1 without it.
template <class T> __device__ __forceinline__ void gelu_forward(T* y, const T* x, const float* __restrict__ bias, long long n, int C)
{
    const long long groups = wide(y, x, bias) && (!bias || C % 8 == 0) ? n / 8 : 0;
    if (groups > 0) {
        GridColumn column(bias ? C / 8 : 1);
        UNROLL_BY(1) for (long long i = grid_thread(); i < groups; i += grid_threads()) {
            float v[8], b[8] = {};
            load8(v, x + 8 * i);
            if (bias) load8(b, bias + 8 * column.c);
            UNROLL for (int j = 0; j < 8; j++) v[j] = gelu(v[j] + b[j]);
            store8(y + 8 * i, v);
            column.next();
        }
    }
    GridColumn column(C);
    for (long long i = 8 * groups + grid_thread(); i < n; i += grid_threads()) {
        y[i] = rounded<T>(gelu(to_float(x[i]) + (bias ? bias[column.c] : 0.0f)));
        column.next();
    }
}

template <class T> __device__ __forceinline__ void gelu_backward(T* dx, const T* dy, const T* __restrict__ x, const float* __restrict__ bias, long long n, int C, int accumulate)
{
    const long long groups = wide(dx, dy, x) && wide(bias) && (!bias || C % 8 == 0) ? n / 8 : 0;
    if (groups > 0) {
        GridColumn column(bias ? C / 8 : 1);
        UNROLL_BY(1) for (long long i = grid_thread(); i < groups; i += grid_threads()) {
            float v[8], g[8], b[8] = {}, before[8] = {};
            load8(v, x + 8 * i);
            load8(g, dy + 8 * i);
            if (bias) load8(b, bias + 8 * column.c);
            if (accumulate) load8(before, dx + 8 * i);
            UNROLL for (int j = 0; j < 8; j++) {
                g[j] *= gelu_derivative(v[j] + b[j]);
                if (accumulate) g[j] += before[j];
            }
            store8(dx + 8 * i, g);
            column.next();
        }
    }
    GridColumn column(C);
    for (long long i = 8 * groups + grid_thread(); i < n; i += grid_threads()) {
        const float g = to_float(dy[i]) * gelu_derivative(to_float(x[i]) + (bias ? bias[column.c] : 0.0f));
        dx[i] = rounded<T>(accumulate ? g + to_float(dx[i]) : g);
        column.next();
    }
}

#define INSTANCE(T) \
    extern "C" __global__ __launch_bounds__(256) void gelu_forward_##T(T* y, const T* x, const float* __restrict__ bias, long long n, int C) { gelu_forward<T>(y, x, bias, n, C); } \
    EXPORT_KERNEL(gelu_forward_##T) \
    extern "C" __global__ __launch_bounds__(256) \
    void gelu_backward_##T(T* dx, const T* dy, const T* __restrict__ x, const float* __restrict__ bias, long long n, int C, int accumulate) { gelu_backward<T>(dx, dy, x, bias, n, C, accumulate); } \
    EXPORT_KERNEL(gelu_backward_##T)
INSTANCE(f32)
INSTANCE(f16)
INSTANCE(bf16)
#undef INSTANCE
