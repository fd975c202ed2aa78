// expand_tokens.cu: sparse cells to dense tokens.
// Math     tokens[b, :] = 0, then tokens[b, positions[e]] = bins[e] for the entries e of cell b; the last position stays 0
//          A cell names each position once. A position that is not below T - 1 (65535: not in the panel) is passed over and an offset beyond E is
//          cut: nothing is written outside.
// Shapes   tokens [B, T] uint8   offsets [B + 1] int32   positions [E] uint16   bins [E] uint8
// Launch   block 256, any grid.x; a block takes a cell's EXPAND_CHUNK positions and looks through all of the cell's entries; no shared memory
// Traffic  reads 3·E bytes for every EXPAND_CHUNK positions of T, writes B·T bytes
// Work     none: bound by latency
// Access   tokens Write
#include "common.cuh"

#define EXPAND_CHUNK 4096

extern "C" __global__ __launch_bounds__(256)
void expand_tokens(unsigned char* __restrict__ tokens, const int* __restrict__ offsets, const unsigned short* __restrict__ positions,
                   const unsigned char* __restrict__ bins, int B, int T, int E)
{
    const int chunks = (T + EXPAND_CHUNK - 1) / EXPAND_CHUNK;
    for (long long turn = blockIdx.x; turn < (long long)B * chunks; turn += gridDim.x) {
        const int b = (int)(turn / chunks), low = (int)(turn % chunks) * EXPAND_CHUNK, high = min(low + EXPAND_CHUNK, T);
        unsigned char* cell = tokens + (size_t)b * T;
        for (int t = low + threadIdx.x; t < high; t += blockDim.x) cell[t] = 0;
        __syncthreads();
        const int first = max(offsets[b], 0), last = min(offsets[b + 1], E);
        for (int e = first + threadIdx.x; e < last; e += blockDim.x) {
            const int t = positions[e];
            if (t >= low && t < high && t < T - 1) cell[t] = bins[e];
        }
    }
}
EXPORT_KERNEL(expand_tokens)
