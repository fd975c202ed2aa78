// bias.cu: preloads a product's target with the bias, and with the residual stream where there is one.
// Math     y[n, c] = bias[c]     or     y[n, c] = bias[c] + residual[n, c]
//          The product is then added by cuBLAS: x' = (x + b) + W a comes out of it finished, so layer norm has no residual of its own to add.
//          Moved: x read, x' written, read and written by the product, read by layer norm: 20·N·C bytes. With the residual in layer norm 16·N·C, with a
//          product that takes its C from another tensor and adds the bias itself (cuBLASLt) 12·N·C: that is the fusion worth having, not layer norm's.
// Shapes   y [N, C] of any element type     bias [C] float32     residual [N, C] float32 or null
// Launch   any one-dimensional grid and block, 8 elements a thread and turn; no shared memory
// Traffic  reads C and, with a residual, 4·N·C bytes; writes N·C elements
// Work     N·C FLOP with a residual: bound by memory bandwidth
// Access   y Write, bias Read, residual Read
#include "common.cuh"

template <class T> __device__ __forceinline__ void broadcast_bias(T* __restrict__ y, const float* __restrict__ bias, const float* __restrict__ residual, int N, int C)
{
    const long long n = (long long)N * C;
    if (C % 8 == 0 && wide(y, bias, residual)) {
        const long long groups = n / 8;
        GridColumn column(C / 8);
        UNROLL_BY(1) for (long long i = grid_thread(); i < groups; i += grid_threads()) {
            float v[8];
            load8(v, bias + 8 * column.c);
            if (residual) {
                float r[8];
                load8(r, residual + 8 * i);
                UNROLL for (int j = 0; j < 8; j++) v[j] += r[j];
            }
            store8(y + 8 * i, v);
            column.next();
        }
        return;
    }
    GridColumn column(C);
    for (long long i = grid_thread(); i < n; i += grid_threads()) {
        y[i] = rounded<T>(residual ? bias[column.c] + residual[i] : bias[column.c]);
        column.next();
    }
}

#define INSTANCE(T) \
    extern "C" __global__ __launch_bounds__(256) \
    void broadcast_bias_##T(T* __restrict__ y, const float* __restrict__ bias, const float* __restrict__ residual, int N, int C) { broadcast_bias<T>(y, bias, residual, N, C); } \
    EXPORT_KERNEL(broadcast_bias_##T)
INSTANCE(f32)
INSTANCE(f16)
INSTANCE(bf16)
#undef INSTANCE
