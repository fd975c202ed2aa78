// adam.cu: one step of Adam or AMSGrad over all parameters.          Kingma, Ba 2015, arXiv:1412.6980; Reddi et al. 2018, arXiv:1904.09237
// Math     g = scale gradient      m = beta1 m + (1 - beta1) g      v = beta2 v + (1 - beta2) g²      top = max(top, v)
//          p += coefficients[0] m / (sqrt(top or v) / coefficients[1] + eps)      coefficients = -rate / (1 - beta1^t), sqrt(1 - beta2^t)
//          What changes from step to step lies in device memory, so that a captured step can be replayed. copy = p rounded to half precision.
// Shapes   p, gradient, m, v, top [P] float32 (top null without AMSGrad)   copy [P] f16 or bf16, null for the instance f32
//          scale [1] (null means 1)   coefficients [2]
// Launch   any one-dimensional grid and block; no shared memory
// Traffic  reads 5·P floats, writes 4·P (one less each without AMSGrad), and 2·P bytes of copy
// Work     14·P FLOP: bound by memory bandwidth
// Access   p, m, v, top Update; copy Write
#include "common.cuh"

template <class H> __device__ __forceinline__ void adam(
    float* __restrict__ p, float* __restrict__ m, float* __restrict__ v, float* __restrict__ top, H* __restrict__ copy,
    const float* __restrict__ gradient, const float* __restrict__ scale, const float* __restrict__ coefficients, long long P,
    float beta1, float rest1, float beta2, float rest2, float eps)
{
    const float factor = scale ? *scale : 1.0f, minus_step = coefficients[0], root_correction = coefficients[1];
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < P; i += (long long)gridDim.x * blockDim.x) {
        const float g = gradient[i] * factor;
        const float first = fmaf(g, rest1, m[i] * beta1);
        float second = fmaf(rest2 * g, g, v[i] * beta2);
        m[i] = first;
        v[i] = second;
        if (top) top[i] = second = fmaxf(top[i], second);
        const float updated = p[i] + minus_step * first / (sqrtf(second) / root_correction + eps);
        p[i] = updated;
        if (copy) copy[i] = rounded<H>(updated);
    }
}

#define INSTANCE(T) \
    extern "C" __global__ __launch_bounds__(256) void adam_##T( \
        float* __restrict__ p, float* __restrict__ m, float* __restrict__ v, float* __restrict__ top, T* __restrict__ copy, \
        const float* __restrict__ gradient, const float* __restrict__ scale, const float* __restrict__ coefficients, long long P, \
        float beta1, float rest1, float beta2, float rest2, float eps) \
    { adam<T>(p, m, v, top, copy, gradient, scale, coefficients, P, beta1, rest1, beta2, rest2, eps); } \
    EXPORT_KERNEL(adam_##T)
INSTANCE(f32)
INSTANCE(f16)
INSTANCE(bf16)
#undef INSTANCE
