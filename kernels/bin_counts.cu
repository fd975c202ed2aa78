// bin_counts.cu: counts of the aligned genes of each cell to expression bins: the cell's total, then each gene's token.
// Math     total[b] = Σ counts of cell b in float64      token >= k, k = 1 ... 5, iff count > 0 and 10⁴ count >= (2^k - 1) total in float64 arithmetic
//          Order of the sum: entry i of a cell to thread i mod 256, each thread in order, the warps' trees, the eight warps in order (block_sum);
//          the CPU adds in the same order, so that a count on a bin's edge falls on the same side. Entries of no cell get bin 0.
// Shapes   bins [E] uint8   counts [E] float32   offsets [B + 1] int32, rising, cut to 0 ... E: nothing is read or written outside
// Launch   block 256, any grid.x, a cell a turn (and one turn for the entries of no cell); 64 bytes of shared memory
// Traffic  reads E floats (twice, again from L2) and B ints, writes E bytes
// Work     11·E FLOP in float64: bound by memory bandwidth and latency
// Access   bins Write
#include "common.cuh"

#define NORMALISED_TOTAL 1e4                                          // as BinRule in C#
#define HIGHEST_BIN 5

__device__ __forceinline__ unsigned char expression_bin(double count, double total)
{
    if (!(count > 0)) return 0;
    const double scaled = NORMALISED_TOTAL * count;
    int bin = 0;
    while (bin < HIGHEST_BIN && scaled >= ((2 << bin) - 1) * total) bin++;
    return (unsigned char)bin;
}

extern "C" __global__ __launch_bounds__(256)
void bin_counts(unsigned char* __restrict__ bins, const float* __restrict__ counts, const int* __restrict__ offsets, int B, int E)
{
    __shared__ double board[8];
    for (int b = blockIdx.x; b <= B; b += gridDim.x) {
        const int first = min(max(offsets[b], 0), E), last = b < B ? max(min(offsets[b + 1], E), first) : E;
        if (b == B) {
            for (int e = threadIdx.x; e < min(max(offsets[0], 0), E); e += blockDim.x) bins[e] = 0;
            for (int e = first + threadIdx.x; e < last; e += blockDim.x) bins[e] = 0;
            continue;
        }
        double total = 0;
        for (int e = first + threadIdx.x; e < last; e += blockDim.x) total += counts[e];
        total = block_sum(total, board);
        for (int e = first + threadIdx.x; e < last; e += blockDim.x) bins[e] = expression_bin(counts[e], total);
    }
}
EXPORT_KERNEL(bin_counts)
