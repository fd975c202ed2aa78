namespace Canal.Interop.Cublas;

/// <summary>Element types, as <c>cudaDataType</c>.</summary>
public enum CublasType
{
    /// <summary>32 bits.</summary>
    Float32 = 0,

    /// <summary>IEEE, 16 bits.</summary>
    Float16 = 2,

    /// <summary>The upper 16 bits of a float32.</summary>
    BFloat16 = 14,
}

/// <summary>A row-major matrix in device memory.</summary>
/// <param name="Address">Address of its first element.</param>
/// <param name="RowLength">Elements from one row, as stored, to the next.</param>
/// <param name="Type">Type of its elements.</param>
/// <param name="Transposed">Whether the product takes it transposed.</param>
public readonly record struct CublasMatrix(nint Address, int RowLength, CublasType Type, bool Transposed = false);
