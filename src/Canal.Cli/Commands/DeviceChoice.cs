using System.Globalization;
using Canal.Engine.Devices;
using Canal.Engine.Devices.Cpu;
using Canal.Engine.Devices.Cuda;
using Canal.Engine.Devices.Cuda.Driver;
using Canal.Interop.Cuda;
using Canal.Interop.Nvrtc;
using CudaDevice = Canal.Engine.Devices.Cuda.CudaDevice;

namespace Canal.Cli.Commands;

/// <summary>What <c>--device</c> and <c>--precision</c> say, checked before anything is opened.</summary>
/// <param name="Kind">auto, cpu or cuda.</param>
/// <param name="Ordinal">Which card.</param>
/// <param name="Precision">null for the device's default; always null for the CPU, which computes in float32.</param>
internal sealed record DeviceChoice(string Kind, int Ordinal, CudaPrecision? Precision)
{
    // A way out where a driver or cuBLAS refuses to record a step.
    private const string GraphsVariable = "CANAL_CUDA_GRAPHS";

    /// <summary>Reads the two options.</summary>
    /// <exception cref="UserException">There is no such device or precision.</exception>
    public static DeviceChoice Parse(string device, string precision)
    {
        var (kind, ordinal) = (device, 0);
        if (device.StartsWith("cuda:", StringComparison.Ordinal))
        {
            if (!int.TryParse(device.AsSpan(5), NumberStyles.None, CultureInfo.InvariantCulture, out ordinal)) throw NoDevice(device);
            kind = "cuda";
        }
        if (kind is not ("auto" or "cpu" or "cuda")) throw NoDevice(device);
        var chosen = CudaPrecision.All.FirstOrDefault(p => p.Name == precision);
        if (chosen is null && precision != "auto")
        {
            throw new UserException($"--precision {Terminal.SafeText.OneLine(precision)}: choose auto, {string.Join(", ", CudaPrecision.All.Select(p => p.Name))}");
        }
        if (kind == "cpu" && chosen is not null && chosen != CudaPrecision.Fp32) throw OnlyFloat32(precision);
        return new DeviceChoice(kind, ordinal, chosen);
    }

    /// <summary>Opens the device.</summary>
    /// <param name="cpu">Settings of the CPU.</param>
    /// <param name="note">A line worth saying, or null: why the CPU computes where a card would have been taken.</param>
    /// <exception cref="MachineException">The card that was asked for cannot be used.</exception>
    public Device Open(CpuOptions cpu, out string? note)
    {
        note = null;
        if (Kind == "cpu") return new CpuDevice(cpu);
        try
        {
            return OpenCuda(cpu.MemoryLimit);
        }
        catch (Exception refused) when (Kind == "auto" && refused is CudaException or NvrtcMissingException)
        {
            if (Precision is not null && Precision != CudaPrecision.Fp32) throw OnlyFloat32(Precision.Name, " (and there is no CUDA device: see canal doctor)");
            var device = new CpuDevice(cpu);
            note = $"computing on the {device.Description}; no CUDA device: {(refused is CudaException cuda ? cuda.What : refused.Message)}";
            return device;
        }
        catch (Exception refused) when (refused is CudaException or NvrtcMissingException)
        {
            throw new MachineException($"--device cuda: {refused.Message}", refused);
        }
    }

    private CudaDevice OpenCuda(nuint? memoryLimit)
    {
        var runtime = DriverRuntime.Open(Ordinal, line => Console.Error.WriteLine("canal: " + Terminal.SafeText.Message(line)));
        try
        {
            var precision = Precision ?? CudaPrecision.DefaultFor(runtime.Architecture);
            if (!precision.Fits(runtime.Architecture))
            {
                throw new UserException($"--precision {precision.Name}: {runtime.Description} does not have it; use {CudaPrecision.DefaultFor(runtime.Architecture).Name} or fp32");
            }
            return new CudaDevice(runtime, new CudaOptions
            {
                Precision = precision, MemoryLimit = memoryLimit, CapturesSteps = Environment.GetEnvironmentVariable(GraphsVariable) != "0",
            });
        }
        catch
        {
            runtime.Dispose();
            throw;
        }
    }

    private static UserException NoDevice(string device) => new($"--device {Terminal.SafeText.OneLine(device)}: choose auto, cpu, cuda or cuda:N");

    private static UserException OnlyFloat32(string precision, string why = "") =>
        new($"--precision {precision}: the CPU computes in fp32 only{why}; use --precision fp32 or auto");
}
