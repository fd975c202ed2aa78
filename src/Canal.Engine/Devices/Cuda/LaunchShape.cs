namespace Canal.Engine.Devices.Cuda;

/// <summary>Grid, block and dynamic shared memory of a launch.</summary>
/// <param name="GridX">Blocks along x, at least 1.</param>
/// <param name="GridY">Blocks along y, 1 to 65,535.</param>
/// <param name="GridZ">Blocks along z, 1 to 65,535.</param>
/// <param name="BlockX">Threads along x.</param>
/// <param name="BlockY">Threads along y.</param>
/// <param name="SharedBytes">Bytes of dynamic shared memory.</param>
public readonly record struct LaunchShape(int GridX, int GridY, int GridZ, int BlockX, int BlockY = 1, int SharedBytes = 0)
{
    /// <summary>A one-dimensional grid of one-dimensional blocks.</summary>
    public LaunchShape(int blocks, int threads) : this(blocks, 1, 1, threads) { }

    /// <summary>Threads of a block.</summary>
    public int Threads => BlockX * BlockY;
}
