using System.Collections.Concurrent;
using Canal.Engine.Devices.Cpu;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;
using Canal.Testing;

namespace Canal.Engine.Tests.Devices.Cpu;

/// <summary>The packed matrix product against float64, and bit for bit between vector widths, thread counts and batches.</summary>
public sealed class MatMulTests
{
    private const double UnitRoundoff = 1.0 / (1 << 24);
    private static readonly ConcurrentDictionary<int, float[]> Samples = new();

    public static TheoryData<int, int, int> Shapes => new()
    {
        { 1, 1, 1 }, { 31, 33, 1 }, { 33, 31, 7 }, { 8, 48, 3 }, { 9, 49, 16 }, { 113, 203, 64 }, { 1, 128, 1001 }, { 14, 64, 128 }, { 97, 16, 33 },
        { 17, 200, 640 }, { 9, 266, 64 }, { 50, 200, 800 }, { 7, 80, 2048 }, { 67, 65, 2049 }, { 5, 273, 5000 }, { 130, 33, 2600 },
    };

    [Theory, MemberData(nameof(Shapes))]
    public void Product_ErrsAtMostTwiceThePlainFloat32Formula(int m, int n, int k)
    {
        using var device = new CpuDevice(new CpuOptions { Threads = 2 });
        foreach (var (transposeA, transposeB, accumulate) in Forms())
        {
            var what = $"{m}x{n}x{k} {(transposeA ? "T" : "N")}{(transposeB ? "T" : "N")} {(accumulate ? "+=" : "=")}";
            var (a, b, c) = (Sample.Normal(m + k, (long)m * k, mean: 1), Sample.Normal(n + (3 * k), (long)k * n), Sample.Normal(n, (long)m * n, mean: 10));
            var (exact, plain, scale) = Reference(a, b, accumulate ? c : new float[c.Length], m, n, k, transposeA, transposeB);
            using var product = accumulate ? new GuardedTensor(device, new Shape(m, n), c) : new GuardedTensor(device, new Shape(m, n));
            using var left = new GuardedTensor(device, transposeA ? new Shape(k, m) : new Shape(m, k), a);
            using var right = new GuardedTensor(device, transposeB ? new Shape(n, k) : new Shape(k, n), b);
            device.Run(new MatMul(product.Tensor, left.Tensor, right.Tensor, transposeA, transposeB, accumulate));

            product.AssertWrittenInside(what);
            var allowed = (2 * plain.Select((v, i) => Math.Abs(v - exact[i])).Max()) + (2 * UnitRoundoff * scale);
            Closeness.Assert(what, product.Values, exact, allowed);
        }
    }

    [Theory, InlineData(1, 200, 64), InlineData(113, 203, 200), InlineData(200, 266, 640), InlineData(130, 83, 2500)]
    public void Bits_DoNotDependOnWidthOrThreads(int m, int n, int k)
    {
        foreach (var (transposeA, transposeB, accumulate) in Forms())
        {
            float[]? first = null;
            foreach (var bits in (int[])[512, 256, 128])
            {
                foreach (var threads in (int[])[1, 2, 3, 7])
                {
                    var values = Run(bits, threads, m, n, k, transposeA, transposeB, accumulate, 0, m);
                    AssertSameBits($"{bits} bits, {threads} threads", first ??= values, values);
                }
            }
        }
    }

    [Theory, InlineData(100, 200, 640), InlineData(100, 70, 2500)]
    public void Bits_OfARowDoNotDependOnTheOthers(int m, int n, int k)
    {
        foreach (var transposeB in (bool[])[false, true])
        {
            foreach (var accumulate in (bool[])[false, true])
            {
                var all = Run(512, 2, m, n, k, false, transposeB, accumulate, 0, m);
                foreach (var (from, rows) in ((int, int)[])[(0, 1), (99, 1), (3, 14), (50, 50)])
                {
                    var part = Run(512, 2, m, n, k, false, transposeB, accumulate, from, rows);
                    AssertSameBits($"rows {from}..{from + rows}", all[(from * n)..((from + rows) * n)], part);
                }
            }
        }
    }

    [Fact]
    public void WarmCall_AllocatesNothing()
    {
        using var device = new CpuDevice(new CpuOptions { Threads = 2 });
        var a = device.Allocate(new Shape(3000, 70));
        var b = device.Allocate(new Shape(3000, 90));
        var c = device.Allocate(new Shape(70, 90));
        var d = device.Allocate(new Shape(3000, 3000));
        device.Run(new Fill(a, 1));
        device.Run(new Fill(b, 1));
        var managed = 0L;
        var native = 0L;
        for (var round = 0; round < 4; round++)
        {
            if (round == 2) (managed, native) = (GC.GetAllocatedBytesForCurrentThread(), device.Memory.SourceAllocations);
            device.Run(new MatMul(c, a, b, TransposeA: true));
            device.Run(new MatMul(d, b, b, TransposeB: true));
            device.Run(new MatMul(c, a.Slice(0, 100), b.Slice(0, 100), TransposeA: true, Accumulate: true));
        }
        Assert.Equal(managed, GC.GetAllocatedBytesForCurrentThread());
        Assert.Equal(native, device.Memory.SourceAllocations);
        foreach (var tensor in (Tensor[])[a, b, c, d]) tensor.Storage.Dispose();
    }

    private static float[] Run(int bits, int threads, int m, int n, int k, bool transposeA, bool transposeB, bool accumulate, int from, int rows)
    {
        using var device = new CpuDevice(new CpuOptions { Threads = threads, VectorBits = bits });
        var a = Samples.GetOrAdd(m * k, count => Sample.Normal(1, count))[(transposeA ? ..(m * k) : (from * k)..((from + rows) * k))];
        var b = Samples.GetOrAdd(n * k, count => Sample.Normal(2, count));
        var c = Samples.GetOrAdd(m * n, count => Sample.Normal(3, count))[(from * n)..((from + rows) * n)];
        using var product = accumulate ? new GuardedTensor(device, new Shape(rows, n), c) : new GuardedTensor(device, new Shape(rows, n));
        using var left = new GuardedTensor(device, transposeA ? new Shape(k, rows) : new Shape(rows, k), a);
        using var right = new GuardedTensor(device, transposeB ? new Shape(n, k) : new Shape(k, n), b);
        device.Run(new MatMul(product.Tensor, left.Tensor, right.Tensor, transposeA, transposeB, accumulate));
        product.AssertWrittenInside("product");
        return product.Values;
    }

    private static IEnumerable<(bool TransposeA, bool TransposeB, bool Accumulate)> Forms() =>
        from a in (bool[])[false, true]
        from b in (bool[])[false, true]
        from accumulate in (bool[])[false, true]
        select (a, b, accumulate);

    private static void AssertSameBits(string what, float[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++)
        {
            Assert.True(BitConverter.SingleToInt32Bits(expected[i]) == BitConverter.SingleToInt32Bits(actual[i]), $"{what}: element {i} is {actual[i]:r}, not {expected[i]:r}");
        }
    }

    /// <summary>C + A B in float64, the plain float32 loop, and the largest partial sum.</summary>
    private static (double[] Exact, float[] Plain, double Scale) Reference(float[] a, float[] b, float[] c, int m, int n, int k, bool transposeA, bool transposeB)
    {
        var exact = new double[m * n];
        var plain = new float[m * n];
        var scale = 0.0;
        for (var i = 0; i < m; i++)
        {
            for (var j = 0; j < n; j++)
            {
                var (sum, single) = ((double)c[(i * n) + j], c[(i * n) + j]);
                for (var p = 0; p < k; p++)
                {
                    var (x, y) = (a[transposeA ? (p * m) + i : (i * k) + p], b[transposeB ? (j * k) + p : (p * n) + j]);
                    sum += (double)x * y;
                    single += x * y;
                    if (Math.Abs(sum) > scale) scale = Math.Abs(sum);
                }
                (exact[(i * n) + j], plain[(i * n) + j]) = (sum, single);
            }
        }
        return (exact, plain, scale);
    }
}
