using System.Runtime.InteropServices;
using Canal.Interop.Cublas;
using Canal.Interop.Cuda;
using Canal.Testing;

namespace Canal.Interop.Tests.Cuda;

/// <summary>cuBLAS through the stand-in, whose product is column-major from the definition: a mistake in the turn to row-major is a wrong number.</summary>
public sealed class CublasTests
{
    private const CublasType F32 = CublasType.Float32, F16 = CublasType.Float16, Bf16 = CublasType.BFloat16;

    [Fact]
    public void A_missing_library_is_told_with_its_cure()
    {
        var refused = Assert.Throws<CudaException>(() => CublasLibrary.Load("/nowhere/libcublas.so.12"));
        Assert.Equal(CudaProblem.CublasMissing, refused.Problem);
        Assert.Equal(
            "cuBLAS was not found: CANAL_CUBLAS names /nowhere/libcublas.so.12, which does not load: cannot open shared object file: No such file or directory; "
            + "install cuBLAS of the driver's CUDA version (the CUDA toolkit, or the Python package nvidia-cublas-cu12 or nvidia-cublas), or name its file in CANAL_CUBLAS",
            refused.Message);
        Assert.StartsWith("libm.so.6 is no cuBLAS of 11.11 or newer: it lacks cublasGetProperty, cublasCreate_v2", Assert.Throws<CudaException>(() => CublasLibrary.Load("libm.so.6")).Message, StringComparison.Ordinal);
    }

    [SkippableTheory]
    [InlineData("cublas=11.10.3", "FILE is cuBLAS 11.10.3, Canal needs 11.11 or newer, below 14; install")]
    [InlineData("cublas=14.0.0", "FILE is cuBLAS 14.0.0, Canal needs 11.11 or newer, below 14; install")]
    [InlineData("fail=cublasGetProperty:7", "FILE does not tell its version (status 7); install")]
    public void A_library_of_another_time_is_refused(string settings, string message)
    {
        using var fake = new FakeCuda(settings);
        var refused = Assert.Throws<CudaException>(() => CublasLibrary.Load(fake.Path));
        Assert.Equal(CudaProblem.CublasMissing, refused.Problem);
        Assert.StartsWith(message.Replace("FILE", fake.Path, StringComparison.Ordinal), refused.Message, StringComparison.Ordinal);
    }

    [SkippableTheory]
    [InlineData("fail=cublasCreate_v2:1", CudaProblem.CublasFailed, "cublasCreate_v2: the library was not initialized (1) (cuBLAS 12.4.5, driver for CUDA 12.4); see whether the driver is as new as this cuBLAS")]
    [InlineData("fail=cublasCreate_v2:3", CudaProblem.OutOfMemory, "cublasCreate_v2: the resource allocation failed (3) (cuBLAS 12.4.5, driver for CUDA 12.4); use smaller batches")]
    [InlineData("fail=cublasSetWorkspace_v2:7", CudaProblem.CallFailed, "cublasSetWorkspace_v2: an unsupported value or parameter was passed to the function (7); this is a defect")]
    public void A_library_that_does_not_start_is_told(string settings, CudaProblem problem, string message)
    {
        using var fake = new FakeCuda(settings);
        using (var context = CudaDriver.Load(fake.Path).OpenContext(0))
        using (var stream = context.CreateStream())
        using (var workspace = context.Allocate(256))
        {
            var refused = Assert.Throws<CudaException>(() => CublasHandle.Create(CublasLibrary.Load(fake.Path), stream, workspace));
            Assert.Equal(problem, refused.Problem);
            Assert.StartsWith(message, refused.Message, StringComparison.Ordinal);
        }
        Assert.Equal("", fake.Alive());
    }

    [SkippableFact]
    public void It_starts_on_its_stream_with_its_workspace_and_full_sums()
    {
        using var fake = new FakeCuda();
        using (var context = CudaDriver.Load(fake.Path).OpenContext(0))
        using (var stream = context.CreateStream())
        using (var workspace = context.Allocate(4096))
        {
            var library = CublasLibrary.Load(fake.Path);
            Assert.Equal((new Version(12, 4, 5), fake.Path), (library.Version, library.File));
            _ = fake.Calls();
            using var cublas = CublasHandle.Create(library, stream, workspace);
            Assert.Equal(["cublasCreate_v2()", "cublasSetMathMode(16)", "cublasSetStream_v2(stream)", "cublasSetWorkspace_v2(memory, 4096)"], fake.Calls());
        }
        Assert.Equal("", fake.Alive());
    }

    [SkippableTheory]
    [InlineData(false, false, F32, F32, false, 68)]
    [InlineData(true, false, F32, F32, true, 77)]
    [InlineData(false, true, F32, F32, false, 68)]
    [InlineData(true, true, F32, F32, false, 68)]
    [InlineData(false, true, F16, F16, true, 68)] // TF32 says nothing about halves
    [InlineData(true, false, F16, F32, false, 68)]
    [InlineData(false, false, Bf16, Bf16, false, 68)]
    [InlineData(true, true, Bf16, F32, false, 68)]
    public void Products_are_row_major(bool transposeA, bool transposeB, CublasType operands, CublasType result, bool tf32, int compute)
    {
        const int m = 3, n = 5, k = 4;
        var (rowA, rowB, rowC) = ((transposeA ? m : k) + 1, (transposeB ? k : n) + 2, n + 3);
        var (rowsA, rowsB) = (transposeA ? k : m, transposeB ? n : k);
        // Small integers: exact in every type, so that results are compared for equality.
        var a = Enumerable.Range(0, rowsA * rowA).Select(i => (float)(i * 7 % 5 - 2)).ToArray();
        var b = Enumerable.Range(0, rowsB * rowB).Select(i => (float)(i * 5 % 7 - 3)).ToArray();
        var c = Enumerable.Range(0, m * rowC).Select(i => (float)(i % 4)).ToArray();
        var expected = (float[])c.Clone();
        for (var i = 0; i < m; i++)
        {
            for (var j = 0; j < n; j++)
            {
                var sum = 0f;
                for (var l = 0; l < k; l++) sum += a[transposeA ? l * rowA + i : i * rowA + l] * b[transposeB ? j * rowB + l : l * rowB + j];
                expected[i * rowC + j] = 2 * sum + 3 * c[i * rowC + j];
            }
        }

        using var fake = new FakeCuda();
        using var context = CudaDriver.Load(fake.Path).OpenContext(0);
        using var stream = context.CreateStream();
        using var memory = context.Allocate(4096);
        using var workspace = context.Allocate(256);
        using var cublas = CublasHandle.Create(CublasLibrary.Load(fake.Path), stream, workspace);
        var (atA, atB, atC) = (memory.Address, memory.Address + 1024, memory.Address + 2048);
        stream.CopyToDevice(atA, Encode(a, operands));
        stream.CopyToDevice(atB, Encode(b, operands));
        stream.CopyToDevice(atC, Encode(c, result));
        _ = fake.Calls();
        cublas.Multiply(m, n, k, 2, new CublasMatrix(atA, rowA, operands, transposeA), new CublasMatrix(atB, rowB, operands, transposeB), 3, new CublasMatrix(atC, rowC, result), tf32);
        var back = Encode(c, result);
        stream.CopyToHost(back, atC);
        Assert.Equal(expected, Decode(back, result));
        Assert.Equal(
            $"cublasGemmEx(op {(transposeB ? 1 : 0)} {(transposeA ? 1 : 0)}, size 5 3 4, alpha 2, A {(int)operands} {rowB}, B {(int)operands} {rowA}, beta 3, C {(int)result} {rowC}, compute {compute}, algorithm -1)",
            fake.Calls()[0]);
    }

    [SkippableFact]
    public void Matrices_that_do_not_fit_are_refused_before_the_call()
    {
        using var fake = new FakeCuda();
        using var context = CudaDriver.Load(fake.Path).OpenContext(0);
        using var stream = context.CreateStream();
        using var workspace = context.Allocate(256);
        using var cublas = CublasHandle.Create(CublasLibrary.Load(fake.Path), stream, workspace);
        _ = fake.Calls();
        CublasMatrix a = new(1, 4, Bf16), b = new(1, 5, Bf16), c = new(1, 5, F32);
        foreach (var (x, y, z) in new[] { (a with { Type = F16 }, b, c), (a, b, c with { Type = F16 }), (a, b, c with { Transposed = true }), (a with { RowLength = 3 }, b, c), (a, b with { RowLength = 4 }, c), (a, b with { RowLength = 3, Transposed = true }, c), (a, b, c with { RowLength = 4 }), (a with { RowLength = 2, Transposed = true }, b, c) })
        {
            Assert.StartsWith("C[3, 5] = op(A)[3, 4] op(B)[4, 5] does not go with A ", Assert.Throws<ArgumentException>(() => cublas.Multiply(3, 5, 4, 1, x, y, 0, z)).Message, StringComparison.Ordinal);
        }
        Assert.Empty(fake.Calls());
        fake.Set("fail=cublasGemmEx:15");
        Assert.StartsWith("cublasGemmEx: NotSupported (15) (C[3, 5] = op(A)[3, 4] op(B)[4, 5], A CublasMatrix", Assert.Throws<CudaException>(() => cublas.Multiply(3, 5, 4, 1, a, b, 0, c)).Message, StringComparison.Ordinal);
    }

    private static byte[] Encode(float[] values, CublasType type) => type switch
    {
        F32 => MemoryMarshal.AsBytes(values.AsSpan()).ToArray(),
        F16 => MemoryMarshal.AsBytes(values.Select(value => (Half)value).ToArray().AsSpan()).ToArray(),
        _ => MemoryMarshal.AsBytes(values.Select(value => (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16)).ToArray().AsSpan()).ToArray(),
    };

    private static float[] Decode(byte[] bytes, CublasType type) => type switch
    {
        F32 => MemoryMarshal.Cast<byte, float>(bytes).ToArray(),
        F16 => [.. MemoryMarshal.Cast<byte, Half>(bytes).ToArray().Select(value => (float)value)],
        _ => [.. MemoryMarshal.Cast<byte, ushort>(bytes).ToArray().Select(value => BitConverter.UInt32BitsToSingle((uint)value << 16))],
    };
}
