using System.Diagnostics;

namespace Canal.Testing;

/// <summary>Builds small shared libraries for tests with the machine's g++.</summary>
public static class SharedLibraryBuilder
{
    /// <summary>Compiles C++ text to a shared library. It has no soname: the loader would take a later one of the same soname for it.</summary>
    /// <param name="path">The library to write.</param>
    /// <param name="source">The text.</param>
    /// <param name="options">Further options, after the source: a soname, what to link with.</param>
    /// <exception cref="SkipException">There is no g++.</exception>
    public static string Build(string path, string source, params string[] options)
    {
        var text = path + ".cpp";
        File.WriteAllText(text, source);
        string[] arguments = ["-shared", "-fPIC", "-Wall", "-Werror", "-o", path, text, .. options];
        using var compiler = Start(arguments);
        Skip.If(compiler is null, "g++ is not on this machine");
        var said = compiler.StandardError.ReadToEnd();
        compiler.WaitForExit();
        Assert.True(compiler.ExitCode == 0, said);
        return path;
    }

    private static Process? Start(string[] arguments)
    {
        try
        {
            return Process.Start(new ProcessStartInfo("g++", arguments) { RedirectStandardError = true });
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }
}
