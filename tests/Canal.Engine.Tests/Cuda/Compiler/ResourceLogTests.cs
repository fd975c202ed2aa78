using Canal.Engine.Devices.Cuda.Compiler;

namespace Canal.Engine.Tests.Cuda.Compiler;

public sealed class ResourceLogTests
{
    [Fact]
    public void The_words_of_nvrtc_11_8_are_read()
    {
        const string Log = """
            ptxas info    : 24 bytes gmem
            ptxas info    : Compiling entry function 'favor_queries_bf16' for 'sm_80'
            ptxas info    : Function properties for favor_queries_bf16
            ptxas         .     16 bytes stack frame, 12 bytes spill stores, 8 bytes spill loads
            ptxas info    : Used 168 registers, 44032 bytes smem, 432 bytes cmem[0], 8 bytes cmem[2]
            ptxas info    : Compiling entry function 'fill_f32' for 'sm_80'
            ptxas info    : Function properties for fill_f32
            ptxas         .     0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
            ptxas info    : Used 10 registers, 372 bytes cmem[0]
            """;
        Assert.Equal([new KernelResources("favor_queries_bf16", 168, 44032, 16, 12, 8), new KernelResources("fill_f32", 10, 0, 0, 0, 0)], ResourceLog.Parse(Log));
    }

    [Fact]
    public void The_words_of_ptxas_with_barriers_and_functions_that_were_not_inlined_do_not_disturb()
    {
        const string Log = """
            ptxas info    : Compiling entry function 'k' for 'sm_90'
            ptxas info    : Function properties for __internal_helper
                40 bytes stack frame, 4 bytes spill stores, 4 bytes spill loads
            ptxas info    : Function properties for k
                8 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
            ptxas info    : Used 32 registers, used 1 barriers, 8 bytes cumulative stack size, 1024 bytes smem, 380 bytes cmem[0]
            ptxas info    : Compile time = 2.000 ms
            """;
        Assert.Equal([new KernelResources("k", 32, 1024, 8, 0, 0)], ResourceLog.Parse(Log));
    }

    [Fact]
    public void A_kernel_without_resources_is_refused()
    {
        Assert.Empty(ResourceLog.Parse("warning: nothing here"));
        var error = Assert.Throws<FormatException>(() => ResourceLog.Parse("ptxas info    : Compiling entry function 'k' for 'sm_90'\nptxas info    : Used some registers\n"));
        Assert.Contains("kernel k", error.Message, StringComparison.Ordinal);
    }
}
