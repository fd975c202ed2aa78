namespace Canal.Engine.Devices.Cuda;

/// <summary>The programs that do not depend on a model's geometry, and those that do.</summary>
public static class KernelPrograms
{
    /// <summary>Everything a number at a time or a row at a time.</summary>
    public static KernelProgram Elementwise { get; } = new("elementwise", ["elementwise.cu"], []);

    /// <summary>All programs without a geometry.</summary>
    public static IReadOnlyList<KernelProgram> General { get; } = [Elementwise];
}
