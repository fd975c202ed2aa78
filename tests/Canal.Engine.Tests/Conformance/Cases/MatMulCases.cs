using Canal.Engine.Devices;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;
using Canal.Testing;

namespace Canal.Engine.Tests.Conformance.Cases;

internal static class MatMulCases
{
    public static IEnumerable<OperationCase> All
    {
        get
        {
            foreach (var (m, n, k) in new[] { (1, 1, 1), (31, 33, 17), (67, 200, 131) })
            {
                for (var variant = 0; variant < 8; variant++)
                {
                    var (transposeA, transposeB, accumulate) = ((variant & 1) != 0, (variant & 2) != 0, (variant & 4) != 0);
                    yield return new Product
                    {
                        Name = $"mat_mul [{m}, {n}, {k}]{(transposeA ? " A^T" : "")}{(transposeB ? " B^T" : "")}{(accumulate ? " accumulate" : "")}",
                        Sizes = (m, n, k),
                        TransposeA = transposeA,
                        TransposeB = transposeB,
                        Accumulate = accumulate,
                        Arguments =
                        [
                            Argument.Gradient("c", new Shape(m, n), accumulate),
                            Argument.Read("a", transposeA ? new Shape(k, m) : new Shape(m, k), Sample.Normal(40, m * k, 1)),
                            Argument.Read("b", transposeB ? new Shape(n, k) : new Shape(k, n), Sample.Normal(41, k * n)),
                        ],
                    };
                }
            }
        }
    }

    private sealed class Product : OperationCase
    {
        public required (int M, int N, int K) Sizes { get; init; }

        public required bool TransposeA { get; init; }

        public required bool TransposeB { get; init; }

        public required bool Accumulate { get; init; }

        public override Type Operation => typeof(MatMul);

        public override void Run(Device device, Func<string, Tensor> tensor) =>
            device.Run(new MatMul(tensor("c"), tensor("a"), tensor("b"), TransposeA, TransposeB, Accumulate));

        public override T[] Expect<T>(string output) => Multiply(Values<T>("a"), Values<T>("b"));

        public override double LargestIntermediate(string output) =>
            Multiply(Array.ConvertAll(Values<double>("a"), Math.Abs), Array.ConvertAll(Values<double>("b"), Math.Abs)).Max();

        private T[] Multiply<T>(T[] a, T[] b) where T : System.Numerics.IFloatingPointIeee754<T>
        {
            var (m, n, k) = Sizes;
            var c = new T[m * n];
            for (var i = 0; i < c.Length; i++)
            {
                for (var l = k - 1; l >= 0; l--)
                {
                    c[i] += a[TransposeA ? (l * m) + (i / n) : (i / n * k) + l] * b[TransposeB ? (i % n * k) + l : (l * n) + (i % n)];
                }
            }
            return c;
        }
    }
}
