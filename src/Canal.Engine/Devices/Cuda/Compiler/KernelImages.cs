namespace Canal.Engine.Devices.Cuda.Compiler;

/// <summary>The compiled programs of one device: from the disk where they were compiled before, else from the compiler.</summary>
/// <param name="compiler">The compiler.</param>
/// <param name="cache">Where images are kept.</param>
/// <param name="architecture">Compute capability of the device times ten.</param>
/// <param name="driver">The version of its driver.</param>
public sealed class KernelImages(KernelCompiler compiler, KernelCache cache, int architecture, Version driver)
{
    /// <summary>The image of a program.</summary>
    /// <exception cref="CudaKernelException">The program does not compile.</exception>
    public KernelImage Get(KernelProgram program) => cache.Read(compiler.Key(program, architecture, driver)) ?? Recompile(program);

    /// <summary>Compiles a program whatever the disk holds, and keeps the result: for an image that the driver refused.</summary>
    /// <exception cref="CudaKernelException">The program does not compile.</exception>
    public KernelImage Recompile(KernelProgram program)
    {
        var image = compiler.Compile(program, architecture);
        cache.Write(compiler.Key(program, architecture, driver), image);
        return image;
    }
}
