using System.Runtime.InteropServices;
using System.Text;

namespace Canal.Testing;

/// <summary>A stand-in for libcuda and libcublas in one file (tests/fixtures/fake_cuda.cpp), built once a process; each instance is a copy of its own with its own state.</summary>
public sealed unsafe class FakeCuda : IDisposable
{
    private static readonly Lazy<string> Built = new(() => Build(""));
    private static readonly Lazy<string> BuiltWithoutGraphs = new(() => Build("-DLACKS_GRAPHS"));
    private readonly TemporaryFolder folder = new();
    private nint library;

    /// <summary>A copy with settings such as <c>fail=cuInit:34;version=11040;capabilities=90,61</c>.</summary>
    /// <param name="settings">See the source.</param>
    /// <param name="lacksGraphs">Whether it lacks a function that drivers before CUDA 11.4 lack.</param>
    /// <exception cref="SkipException">There is no g++.</exception>
    public FakeCuda(string settings = "", bool lacksGraphs = false)
    {
        File.Copy((lacksGraphs ? BuiltWithoutGraphs : Built).Value, Path);
        if (settings.Length > 0) Set(settings);
    }

    /// <summary>The library.</summary>
    public string Path => folder["libfake.so"];

    /// <summary>Chooses further settings.</summary>
    public void Set(string settings)
    {
        fixed (byte* text = Encoding.UTF8.GetBytes(settings + '\0')) ((delegate* unmanaged<byte*, void>)Export("fake_set"))(text);
    }

    /// <summary>The calls since the last time, one a line, with what was passed.</summary>
    public string[] Calls() => Text("fake_calls").Split('\n', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>What was made and not given back: <c>event 2, stream 1</c>; empty where nothing is.</summary>
    public string Alive() => Text("fake_alive");

    /// <inheritdoc/>
    public void Dispose() => folder.Dispose();

    private string Text(string function) => Marshal.PtrToStringUTF8((nint)((delegate* unmanaged<byte*>)Export(function))())!;

    private nint Export(string name)
    {
        if (library == 0) library = NativeLibrary.Load(Path);
        return NativeLibrary.GetExport(library, name);
    }

    private static string Build(string option)
    {
        using var source = new StreamReader(typeof(FakeCuda).Assembly.GetManifestResourceStream("fake_cuda.cpp")!);
        var shared = new TemporaryFolder();
        AppDomain.CurrentDomain.ProcessExit += (_, _) => shared.Dispose();
        return SharedLibraryBuilder.Build(shared["libfake.so"], source.ReadToEnd(), option.Length > 0 ? [option] : []);
    }
}
