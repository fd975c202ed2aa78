// embedding.cu: the encoder's input, forward, and the gradients of both tables.                        scBERT, Yang et al. 2022
// Math     x[b, t] = bin_table[token[b, t]] + gene_table[t]      a token beyond the table makes its row NaN: it must not pass unseen
//          dgene_table[t] += Σ_b dx[b, t], cells in order        dbin_table[k] += Σ dx[b, t] over the rows with token k
//          Rows of dbin are summed in chunks of EMBEDDING_CHUNK rows, in a chunk by G groups (row n to group n mod G) in order, groups in order;
//          merge_row_sums (column_sum.cu) adds the chunks to the table. G follows from the number of tokens alone.
// Shapes   x, dx [B·T, C]   bin_table [tokens, C]   gene_table [T, C]   partials [chunks, tokens, C]       row-major float32   token [B, T] uint8
// Launch   forward: blocks of whole warps, a warp a row; genes: a thread an element; any one-dimensional grid
//          bins: block (32, G), any grid.x, a chunk and 32 columns a turn; dynamic shared memory G·tokens·32 floats
// Traffic  forward reads T·C floats (again from L2 for each cell) and N bytes, writes N·C floats; genes and bins read N·C floats each;
//          the partial sums are tokens / EMBEDDING_CHUNK of that, written and read
// Work     N·C FLOP each: bound by memory bandwidth
// Access   x Write; dbin_table, dgene_table Accumulate
#include "common.cuh"

#define EMBEDDING_CHUNK 128                                            // EmbeddingBackward.CudaChunkRows on the host

extern "C" __global__ __launch_bounds__(256)
void embedding_forward(float* __restrict__ x, const unsigned char* __restrict__ tokens, const float* __restrict__ bin_table,
                       const float* __restrict__ gene_table, int N, int T, int C, int kinds)
{
    const int lane = threadIdx.x % WARP_SIZE, warps = blockDim.x / WARP_SIZE;
    const bool vectors = C % 4 == 0 && ((size_t)x | (size_t)bin_table | (size_t)gene_table) % 16 == 0;
    for (unsigned n = blockIdx.x * warps + threadIdx.x / WARP_SIZE; n < (unsigned)N; n += gridDim.x * warps) {
        const int token = tokens[n];
        const float unknown = token < kinds ? 0.0f : NAN_F;
        const float* bin = bin_table + (size_t)(token < kinds ? token : 0) * C;
        const float* gene = gene_table + (size_t)(n % T) * C;
        float* row = x + (size_t)n * C;
        if (vectors) {
            for (int c = 4 * lane; c < C; c += 4 * WARP_SIZE) {
                const float4 a = *(const float4*)(bin + c), b = *(const float4*)(gene + c);
                *(float4*)(row + c) = make_float4(a.x + b.x + unknown, a.y + b.y + unknown, a.z + b.z + unknown, a.w + b.w + unknown);
            }
        } else {
            for (int c = lane; c < C; c += WARP_SIZE) row[c] = bin[c] + gene[c] + unknown;
        }
    }
}
EXPORT_KERNEL(embedding_forward)

extern "C" __global__ __launch_bounds__(256)
void embedding_backward_genes(float* __restrict__ dgene_table, const float* __restrict__ dx, long long table, int B)
{
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < table; i += (long long)gridDim.x * blockDim.x) {
        float sum = 0.0f;
        for (int b = 0; b < B; b++) sum += dx[(size_t)b * table + i];
        dgene_table[i] += sum;
    }
}
EXPORT_KERNEL(embedding_backward_genes)

extern "C" __global__ __launch_bounds__(256)
void embedding_backward_bins(float* __restrict__ partials, const float* __restrict__ dx, const unsigned char* __restrict__ tokens, long long N, int C, int kinds)
{
    DYNAMIC_SHARED(float, sums);                                       // [G, kinds, 32]
    const int lane = threadIdx.x, group = threadIdx.y, groups = blockDim.y, thread = group * WARP_SIZE + lane;
    const int tiles = (C + WARP_SIZE - 1) / WARP_SIZE;
    const long long chunks = (N + EMBEDDING_CHUNK - 1) / EMBEDDING_CHUNK;
    float* mine = sums + group * kinds * WARP_SIZE + lane;
    for (long long turn = blockIdx.x; turn < chunks * tiles; turn += gridDim.x) {
        const long long chunk = turn / tiles, first = chunk * EMBEDDING_CHUNK;
        const int c = (int)(turn % tiles) * WARP_SIZE + lane, count = N - first < EMBEDDING_CHUNK ? (int)(N - first) : EMBEDDING_CHUNK;
        for (int i = thread; i < groups * kinds * WARP_SIZE; i += groups * WARP_SIZE) sums[i] = 0.0f;
        __syncthreads();
        if (c < C) {
            // Four rows are under way at a time: the additions would wait for each load otherwise.
            for (int r = group; r < count; r += 4 * groups) {
                float value[4];
                int token[4];
                UNROLL for (int j = 0; j < 4; j++) {
                    const bool inside = r + j * groups < count;
                    const size_t n = (size_t)first + (inside ? r + j * groups : r);
                    token[j] = inside ? tokens[n] : kinds;
                    value[j] = dx[n * C + c];
                }
                UNROLL for (int j = 0; j < 4; j++)
                    if (token[j] < kinds) mine[token[j] * WARP_SIZE] += value[j];
            }
        }
        __syncthreads();
        for (int k = group; k < kinds && c < C; k += groups) {
            float sum = 0.0f;
            for (int g = 0; g < groups; g++) sum += sums[(g * kinds + k) * WARP_SIZE + lane];
            partials[((size_t)chunk * kinds + k) * C + c] = sum;
        }
        __syncthreads();
    }
}
EXPORT_KERNEL(embedding_backward_bins)
