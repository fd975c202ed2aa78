using System.Runtime.InteropServices;
using Canal.Engine.Devices;
using Canal.Engine.Operations;
using Canal.Engine.Tensors;
using Canal.Testing;

namespace Canal.Engine.Tests.Conformance;

/// <summary>The tensors of one case on one device, guarded where they are floating-point.</summary>
internal sealed class CaseRun : IDisposable
{
    private readonly OperationCase operation;
    private readonly Device device;
    private readonly Dictionary<string, GuardedTensor> floats = [];
    private readonly Dictionary<string, Tensor> integers = [];
    private readonly Func<string, Tensor> tensor;

    /// <summary>Fresh tensors; accumulated ones start at <paramref name="accumulators"/>, or at zero. Aligned to one element, or to 32 bytes and more.</summary>
    public CaseRun(OperationCase operation, Device device, Func<Argument, float[]>? accumulators = null, bool aligned = false)
    {
        (this.operation, this.device) = (operation, device);
        tensor = name => floats.TryGetValue(name, out var guarded) ? guarded.Tensor : integers.GetValueOrDefault(name);
        foreach (var argument in operation.Arguments)
        {
            if (!argument.IsFloat)
            {
                integers[argument.Name] = Integers(argument);
                continue;
            }
            floats[argument.Name] = argument.Access == Access.Write
                ? new GuardedTensor(device, argument.Type, argument.Shape, aligned)
                : new GuardedTensor(device, argument.Type, argument.Shape, argument.Access == Access.Accumulate && accumulators is not null ? accumulators(argument) : argument.Floats, aligned);
        }
    }

    public static bool IsOutput(Argument argument) => argument.Access != Access.Read;

    /// <summary>Runs once and looks at nothing.</summary>
    public void RunOnly() => operation.Run(device, tensor);

    /// <summary>Runs once, then looks for skipped and stray writes and changed inputs.</summary>
    public void RunOnce()
    {
        RunOnly();
        device.Synchronise();
        foreach (var argument in operation.Arguments)
        {
            var what = $"{operation.Name}, {argument.Name}";
            if (argument.IsFloat) floats[argument.Name].AssertWrittenInside(what);
            if (!IsOutput(argument)) Assert.True(Bytes(argument).SequenceEqual(InitialBytes(argument)), $"{what}: an input was changed.");
        }
    }

    public float[] Floats(Argument argument) => floats[argument.Name].Values;

    public int[] IntegerValues(Argument argument) => argument.Values is int[]
        ? device.Read<int>(integers[argument.Name])
        : Array.ConvertAll(device.Read<byte>(integers[argument.Name]), v => (int)v);

    /// <summary>The tensor's bytes.</summary>
    public byte[] Bytes(Argument argument)
    {
        var tensor = argument.IsFloat ? floats[argument.Name].Tensor : integers[argument.Name];
        var bytes = new byte[tensor.Bytes];
        device.CopyToHost(bytes, tensor);
        return bytes;
    }

    public void Dispose()
    {
        foreach (var tensor in floats.Values) tensor.Dispose();
        foreach (var tensor in integers.Values) tensor.Storage.Dispose();
    }

    private static byte[] InitialBytes(Argument argument) => argument.Values switch
    {
        float[] v => Rounding.Bytes(argument.Type, v),
        int[] v => MemoryMarshal.AsBytes(v.AsSpan()).ToArray(),
        ushort[] v => MemoryMarshal.AsBytes(v.AsSpan()).ToArray(),
        _ => (byte[])argument.Values,
    };

    private Tensor Integers(Argument argument)
    {
        var tensor = device.Allocate(argument.Type, argument.Shape);
        var bytes = InitialBytes(argument);
        if (argument.Access == Access.Write) Array.Fill(bytes, (byte)0xA5);
        device.CopyFromHost(tensor, bytes);
        return tensor;
    }
}
