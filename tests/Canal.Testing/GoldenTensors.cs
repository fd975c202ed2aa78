using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Canal.Testing;

/// <summary>Reader of the golden fixtures (safetensors): written apart from the one in src, so that neither vouches for itself.</summary>
public sealed class GoldenTensors
{
    private readonly byte[] body;
    private readonly Dictionary<string, (string Type, int[] Shape, int Start, int End)> entries = new(StringComparer.Ordinal);

    private GoldenTensors(byte[] file)
    {
        var headerLength = checked((int)BinaryPrimitives.ReadInt64LittleEndian(file));
        body = file[(8 + headerLength)..];
        using var header = JsonDocument.Parse(file.AsMemory(8, headerLength));
        foreach (var tensor in header.RootElement.EnumerateObject())
        {
            if (tensor.Name == "__metadata__") continue;
            var offsets = tensor.Value.GetProperty("data_offsets");
            int[] shape = [.. tensor.Value.GetProperty("shape").EnumerateArray().Select(e => e.GetInt32())];
            entries.Add(tensor.Name, (tensor.Value.GetProperty("dtype").GetString()!, shape, offsets[0].GetInt32(), offsets[1].GetInt32()));
        }
    }

    /// <summary>Names of the tensors.</summary>
    public IReadOnlyCollection<string> Names => entries.Keys;

    /// <summary>Reads a file.</summary>
    public static GoldenTensors Load(string path) => new(File.ReadAllBytes(path));

    /// <summary>Whether there is such a tensor.</summary>
    public bool Has(string name) => entries.ContainsKey(name);

    /// <summary>Element type as written in the file: F32, F64, I64, I32.</summary>
    public string Type(string name) => entries[name].Type;

    /// <summary>Sizes; empty for a scalar.</summary>
    public int[] Shape(string name) => entries[name].Shape;

    /// <summary>Values of any type as float64.</summary>
    public double[] Doubles(string name) => entries[name].Type switch
    {
        "F32" => Array.ConvertAll(Cast<float>(name), v => (double)v),
        "F64" => Cast<double>(name),
        "I32" => Array.ConvertAll(Cast<int>(name), v => (double)v),
        "I64" => Array.ConvertAll(Cast<long>(name), v => (double)v),
        var other => throw new NotSupportedException($"{name}: element type {other}."),
    };

    /// <summary>Values of any type as float32 (rounded once).</summary>
    public float[] Floats(string name) => entries[name].Type == "F32" ? Cast<float>(name) : Array.ConvertAll(Doubles(name), v => (float)v);

    /// <summary>Values of an integer tensor.</summary>
    public int[] Ints(string name) => entries[name].Type switch
    {
        "I32" => Cast<int>(name),
        "I64" => Array.ConvertAll(Cast<long>(name), v => checked((int)v)),
        var other => throw new NotSupportedException($"{name}: {other} is no integer type."),
    };

    /// <summary>The one value of a scalar.</summary>
    public double Scalar(string name) => Assert.Single(Doubles(name));

    private T[] Cast<T>(string name) where T : unmanaged
    {
        var (_, _, start, end) = entries[name];
        return MemoryMarshal.Cast<byte, T>(body.AsSpan(start, end - start)).ToArray();
    }
}
