namespace Canal.Interop.Cuda;

/// <summary>Grid, block and dynamic shared memory of a launch.</summary>
/// <param name="GridX">Blocks along x, 1 to 2³¹ - 1.</param>
/// <param name="GridY">Blocks along y, 1 to 65,535.</param>
/// <param name="GridZ">Blocks along z, 1 to 65,535.</param>
/// <param name="BlockX">Threads along x.</param>
/// <param name="BlockY">Threads along y.</param>
/// <param name="BlockZ">Threads along z.</param>
/// <param name="SharedBytes">Bytes of dynamic shared memory of a block.</param>
public readonly record struct CudaLaunch(int GridX, int GridY, int GridZ, int BlockX, int BlockY, int BlockZ, int SharedBytes);
