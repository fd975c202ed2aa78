// rows.cuh: how sums over rows are cut: chunks of 32 rows, four rows a warp in order, the block's eight warps in order; the chunks' partial sums are added up
// by merge_row_sums (column_sum.cu). A function of shape alone, so that the bits depend neither on the grid nor on the card.
#pragma once
#include "common.cuh"

#define ROW_WARPS 8                                // warps of a block
#define ROW_TURNS 4                                // rows a warp has of a chunk
#define CHUNK_ROWS (ROW_WARPS * ROW_TURNS)         // RowReduction.CudaChunkRows on the host
#define LANE_COLUMNS 8                             // columns a lane has of a tile: lane, lane + 32, ...
#define TILE_COLUMNS (WARP_SIZE * LANE_COLUMNS)    // columns of a tile, as many as a block has threads

// partials[c] = the sum over the block's warps, in order, of what their lanes hold of column c of a tile. board holds ROW_WARPS * TILE_COLUMNS floats and may be
// used again at once. All threads of the block must call.
__device__ __forceinline__ void write_partials(float* __restrict__ partials, int columns, const float* sums, float* board)
{
    const int lane = threadIdx.x % WARP_SIZE, warp = threadIdx.x / WARP_SIZE;
    UNROLL for (int k = 0; k < LANE_COLUMNS; k++) board[warp * TILE_COLUMNS + lane + WARP_SIZE * k] = sums[k];
    __syncthreads();
    const int c = threadIdx.x;
    if (c < columns) {
        float total = board[c];
        UNROLL for (int w = 1; w < ROW_WARPS; w++) total += board[w * TILE_COLUMNS + c];
        partials[c] = total;
    }
    __syncthreads();
}
