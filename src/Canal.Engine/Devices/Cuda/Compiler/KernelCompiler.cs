using System.Globalization;
using Canal.Interop.Nvrtc;

namespace Canal.Engine.Devices.Cuda.Compiler;

/// <summary>Compiles kernel programs with NVRTC: to machine code where NVRTC knows the device's architecture, otherwise to PTX of the newest one before it.</summary>
/// <param name="nvrtc">The compiler that was found.</param>
/// <param name="files">Text of the files that programs include, by name: <see cref="KernelSources.All"/>.</param>
/// <param name="compile">Compiles a source with options: <see cref="NvrtcCompiler.Compile"/>.</param>
public sealed class KernelCompiler(NvrtcInformation nvrtc, IReadOnlyDictionary<string, string> files, Func<NvrtcSource, IReadOnlyList<string>, NvrtcOutput> compile)
{
    private static readonly Version Nvrtc118 = new(11, 8);

    /// <summary>The compiler of this process over the kernels of this assembly.</summary>
    /// <exception cref="NvrtcMissingException">There is no NVRTC here.</exception>
    public KernelCompiler(NvrtcInformation nvrtc) : this(nvrtc, KernelSources.All, NvrtcCompiler.Compile) { }

    /// <summary>The version of NVRTC.</summary>
    public Version Version => nvrtc.Version;

    /// <summary>What to compile to for a device.</summary>
    /// <param name="architecture">Compute capability times ten.</param>
    /// <exception cref="CudaKernelException">The device is older than everything that this NVRTC makes code for.</exception>
    public KernelTarget TargetFor(int architecture)
    {
        if (nvrtc.Architectures.Contains(architecture)) return new KernelTarget(architecture, IsMachineCode: true);
        var older = nvrtc.Architectures.Where(known => known < architecture).DefaultIfEmpty(0).Max();
        return older > 0 ? new KernelTarget(older, IsMachineCode: false) : throw new CudaKernelException(string.Create(CultureInfo.InvariantCulture,
            $"NVRTC {nvrtc.Version} ({nvrtc.File}) makes no code for compute capability {architecture / 10}.{architecture % 10}, its oldest is {nvrtc.Architectures[0] / 10}.{nvrtc.Architectures[0] % 10}: name the NVRTC of an older CUDA in {NvrtcLibrary.EnvironmentVariable}."));
    }

    /// <summary>The options of a compilation.</summary>
    /// <param name="program">The program.</param>
    /// <param name="target">What to compile to.</param>
    /// <param name="resources">Whether the log shall tell registers, shared memory and spills; machine code only.</param>
    public IReadOnlyList<string> Options(KernelProgram program, KernelTarget target, bool resources)
    {
        ArgumentNullException.ThrowIfNull(program);
        List<string> options = ["--std=c++17", $"--gpu-architecture={target}"];
        // NVRTC 11.8 overflowed its stack over line tables of one kernel file for 9.0.
        if (nvrtc.Version != Nvrtc118 || target.Architecture < 90) options.Add("-lineinfo");
        if (resources && target.IsMachineCode) options.Add("--ptxas-options=-v");
        options.AddRange(program.Defines.Select(define => "-D" + define));
        return options;
    }

    /// <summary>Everything that can change the machine code; a missing term would be a stale kernel after an upgrade.</summary>
    /// <param name="program">The program.</param>
    /// <param name="architecture">Compute capability of the device times ten.</param>
    /// <param name="driver">The version of the driver, which compiles PTX and refuses what is too new for it.</param>
    /// <param name="resources">Whether the log shall tell resources.</param>
    public KernelCacheKey Key(KernelProgram program, int architecture, Version driver, bool resources = false)
    {
        ArgumentNullException.ThrowIfNull(program);
        ArgumentNullException.ThrowIfNull(driver);
        var target = TargetFor(architecture);
        return KernelCacheKey.Of(
            $"{program.Name}-{target}",
            [
                program.Source, .. KernelHeaders.Of(program.Source, files).SelectMany(file => new[] { file.Key, file.Value }), "options", .. Options(program, target, resources),
                "versions", architecture.ToString(CultureInfo.InvariantCulture), nvrtc.Version.ToString(), driver.ToString(),
            ]);
    }

    /// <summary>Compiles a program for a device.</summary>
    /// <param name="program">The program.</param>
    /// <param name="architecture">Compute capability of the device times ten.</param>
    /// <param name="resources">Whether the log shall tell resources.</param>
    /// <exception cref="CudaKernelException">The program does not compile; the message holds file, line, options and the full log.</exception>
    public KernelImage Compile(KernelProgram program, int architecture, bool resources = false)
    {
        ArgumentNullException.ThrowIfNull(program);
        var target = TargetFor(architecture);
        try
        {
            var output = compile(new NvrtcSource(program.Name, program.Source, KernelHeaders.Of(program.Source, files)), Options(program, target, resources));
            return new KernelImage(target, output.Image, output.Log);
        }
        catch (NvrtcException error)
        {
            throw new CudaKernelException($"Kernel program {program.Name}, NVRTC {nvrtc.Version} for {target}: {error.Message}", error);
        }
    }
}
