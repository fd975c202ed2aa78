using Canal.Engine.Devices.Cuda;
using Canal.Testing;
using Canal.Testing.Emulator;

namespace Canal.Engine.Tests.Cuda.Emulator;

/// <summary>The emulator's stand-ins for what the processor does not have, against float64, and their variations.</summary>
public sealed class ArithmeticTests
{
    [SkippableTheory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public void ProductsAgreeWithFloat64(bool bf16, bool truncated)
    {
        EmulatedRuntime.Require();
        using var run = new DefectRun(new EmulatorOptions { TruncateProducts = truncated });
        float[] a = Rounded(Sample.Normal(5, 256, 0, 1)), b = Rounded(Sample.Normal(6, 128, 0, 1));
        var d = run.Allocate<float>(128);
        var arguments = default(KernelArguments);
        arguments.Add(d).Add(run.Upload(Bits(a))).Add(run.Upload(Bits(b)));
        run.Launch(bf16 ? "product_bf16" : "product_f16", new LaunchShape(1, 32), arguments);

        var expected = new double[128];
        for (var i = 0; i < 128; i++)
        {
            for (var k = 0; k < 16; k++) expected[i] += (double)a[(i / 8 * 16) + k] * b[(i % 8 * 16) + k];
        }
        // Sixteen sums, each off by half a unit in the last place of the largest, or by up to two where they are cut off after aligning nine terms.
        var scale = Closeness.Scale(expected);
        Closeness.Assert("product", run.Download<float>(d, 128), expected, (truncated ? 64 : 16) * scale / (1 << 24));
        if (truncated) Assert.NotEqual(expected.Select(v => (float)v), run.Download<float>(d, 128));

        float[] Rounded(float[] values) => Array.ConvertAll(values, v => bf16 ? (float)BFloat(v) : (float)(Half)v);
        ushort[] Bits(float[] values) => Array.ConvertAll(values, v => bf16 ? (ushort)(BitConverter.SingleToUInt32Bits(v) >> 16) : BitConverter.HalfToUInt16Bits((Half)v));
        static float BFloat(float v) => BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(v) & 0xFFFF0000);
    }

    [SkippableFact]
    public void MatricesAreHandedOutAsThePtxManualSays()
    {
        EmulatedRuntime.Require();
        using var run = new DefectRun();
        nint plain = run.Allocate<uint>(128), turned = run.Allocate<uint>(128);
        var arguments = default(KernelArguments);
        arguments.Add(plain).Add(turned).Add(run.Upload(Enumerable.Range(0, 256).Select(i => (ushort)i).ToArray()));
        run.Launch("matrices", new LaunchShape(1, 32), arguments);
        var (straight, transposed) = (run.Download<uint>(plain, 128), run.Download<uint>(turned, 128));
        for (var lane = 0; lane < 32; lane++)
        {
            for (var matrix = 0; matrix < 4; matrix++)
            {
                uint first = (uint)matrix * 64, g = (uint)lane / 4, t = (uint)lane % 4;
                Assert.Equal(first + (8 * g) + (2 * t) | (first + (8 * g) + (2 * t) + 1) << 16, straight[(lane * 4) + matrix]);
                Assert.Equal(first + (16 * t) + g | (first + (16 * t) + 8 + g) << 16, transposed[(lane * 4) + matrix]);
            }
        }
    }

    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void ExponentialsAreWithinTwoUnits(bool perturbed)
    {
        EmulatedRuntime.Require();
        using var run = new DefectRun(new EmulatorOptions { PerturbExponentials = perturbed });
        var x = Sample.Uniform(7, 32, -100, 20);
        var y = run.Allocate<float>(32);
        var arguments = default(KernelArguments);
        arguments.Add(y).Add(run.Upload(x));
        run.Launch("exponentials", new LaunchShape(1, 32), arguments);
        var units = run.Download<float>(y, 32).Zip(x, (actual, at) => BitConverter.SingleToInt32Bits(actual) - BitConverter.SingleToInt32Bits((float)Math.Pow(2, at))).ToArray();
        // The processor's own function is off by less than one unit; the rounding of the truth may take it to the next.
        Assert.All(units, u => Assert.InRange(u, perturbed ? -3 : -1, perturbed ? 3 : 1));
        Assert.Equal(perturbed, units.Any(u => Math.Abs(u) == 2));
    }

    [SkippableFact]
    public void SmallExponentialsAreZero()
    {
        EmulatedRuntime.Require();
        using var run = new DefectRun();
        var y = run.Allocate<float>(32);
        var arguments = default(KernelArguments);
        arguments.Add(y).Add(run.Upload(Enumerable.Range(0, 32).Select(i => -126f - i).ToArray()));
        run.Launch("exponentials", new LaunchShape(1, 32), arguments);
        var values = run.Download<float>(y, 32);
        Assert.Equal(BitConverter.Int32BitsToSingle(1 << 23), values[0]);
        Assert.All(values.Skip(1), v => Assert.Equal(0, v));
    }
}
