using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using System.Text;

namespace Canal.Interop.Nvrtc;

/// <summary>A CUDA C++ program as text.</summary>
/// <param name="Name">The name that messages and line tables give to <paramref name="Text"/>.</param>
/// <param name="Text">The source.</param>
/// <param name="Headers">Files that <c>#include "name"</c> finds, by name; no other file is read.</param>
public sealed record NvrtcSource(string Name, string Text, IReadOnlyDictionary<string, string> Headers);

/// <summary>What NVRTC made of a program.</summary>
/// <param name="Image">A CUBIN for <c>--gpu-architecture=sm_XX</c>; for <c>compute_XX</c> PTX, as text that ends with a zero byte, as the driver takes it.</param>
/// <param name="Log">Warnings, and what <c>--ptxas-options=-v</c> asked for.</param>
public sealed record NvrtcOutput(byte[] Image, string Log);

/// <summary>Compiles programs with NVRTC. Needs no GPU and no driver.</summary>
public static unsafe class NvrtcCompiler
{
    // The front end recurses over expressions; 11.8 needed more than the default of a pool thread on one kernel file.
    private const int StackBytes = 64 << 20;

    /// <summary>Compiles a program.</summary>
    /// <param name="source">The program.</param>
    /// <param name="options">NVRTC's options; <c>--gpu-architecture=sm_XX</c> asks for a CUBIN, <c>compute_XX</c> for PTX.</param>
    /// <exception cref="NvrtcException">The program has errors or an option is not known: the message holds the options and the compiler's full log with file and line.</exception>
    /// <exception cref="NvrtcMissingException">There is no NVRTC here.</exception>
    public static NvrtcOutput Compile(NvrtcSource source, IReadOnlyList<string> options)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(options);
        _ = NvrtcLibrary.Probe();
        NvrtcOutput? output = null;
        ExceptionDispatchInfo? failure = null;
        var thread = new Thread(Work, StackBytes) { IsBackground = true, Name = "NVRTC" };
        thread.Start();
        thread.Join();
        failure?.Throw();
        return output!;

        void Work()
        {
            try
            {
                output = CompileHere(source, options);
            }
            catch (Exception error)
            {
                failure = ExceptionDispatchInfo.Capture(error); // thrown again on the caller's thread
            }
        }
    }

    private static NvrtcOutput CompileHere(NvrtcSource source, IReadOnlyList<string> options)
    {
        using var program = Create(source);
        using var texts = new Utf8Texts(options);
        var status = NativeMethods.nvrtcCompileProgram(program, options.Count, texts.Pointers);
        NvrtcLibrary.Check(NativeMethods.nvrtcGetProgramLogSize(program, out var size), "reading the log");
        var log = new byte[checked((int)size)];
        fixed (byte* first = log) NvrtcLibrary.Check(NativeMethods.nvrtcGetProgramLog(program, first), "reading the log");
        var said = Encoding.UTF8.GetString(log).TrimEnd('\0');
        if (status != NvrtcStatus.Success) throw new NvrtcException(Message(source.Name, status), options, said);
        return new NvrtcOutput(options.Any(option => option.Contains("=sm_", StringComparison.Ordinal)) ? Cubin(program) : Ptx(program), said);
    }

    private static NvrtcProgramHandle Create(NvrtcSource source)
    {
        using var own = new Utf8Texts([source.Text, source.Name]);
        using var texts = new Utf8Texts([.. source.Headers.Values]);
        using var names = new Utf8Texts([.. source.Headers.Keys]);
        NvrtcLibrary.Check(
            NativeMethods.nvrtcCreateProgram(out var program, own.Pointers[0], own.Pointers[1], source.Headers.Count, texts.Pointers, names.Pointers), $"taking the program {source.Name}");
        return program;
    }

    private static string Message(string name, NvrtcStatus status) => status switch
    {
        NvrtcStatus.Compilation => $"{name} does not compile: {NvrtcLibrary.Describe(status)}.",
        NvrtcStatus.InvalidOption => $"{name} was not compiled, this NVRTC does not know one of the options: {NvrtcLibrary.Describe(status)}.",
        NvrtcStatus.BuiltinOperationFailure => $"{name} was not compiled: {NvrtcLibrary.Describe(status)}. Is libnvrtc-builtins of the same version beside {NvrtcLibrary.Probe().File}?",
        _ => $"{name} was not compiled: {NvrtcLibrary.Describe(status)}.",
    };

    private static byte[] Cubin(NvrtcProgramHandle program)
    {
        NvrtcLibrary.Check(NativeMethods.nvrtcGetCUBINSize(program, out var size), "reading the CUBIN");
        var image = new byte[checked((int)size)];
        fixed (byte* first = image) NvrtcLibrary.Check(NativeMethods.nvrtcGetCUBIN(program, first), "reading the CUBIN");
        return image;
    }

    private static byte[] Ptx(NvrtcProgramHandle program)
    {
        NvrtcLibrary.Check(NativeMethods.nvrtcGetPTXSize(program, out var size), "reading the PTX");
        var image = new byte[checked((int)size)];
        fixed (byte* first = image) NvrtcLibrary.Check(NativeMethods.nvrtcGetPTX(program, first), "reading the PTX");
        return image;
    }

    /// <summary>Texts as an array of zero-terminated strings outside the managed heap.</summary>
    private sealed class Utf8Texts : IDisposable
    {
        private readonly int count;

        public Utf8Texts(IReadOnlyList<string> texts)
        {
            Pointers = (byte**)NativeMemory.AllocZeroed((nuint)texts.Count + 1, (nuint)sizeof(byte*));
            foreach (var text in texts) Pointers[count++] = (byte*)Marshal.StringToCoTaskMemUTF8(text);
        }

        public byte** Pointers { get; }

        public void Dispose()
        {
            for (var index = 0; index < count; index++) Marshal.FreeCoTaskMem((nint)Pointers[index]);
            NativeMemory.Free(Pointers);
        }
    }
}
