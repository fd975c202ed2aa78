using Canal.Engine.Devices.Cuda;
using Canal.Interop.Cuda;
using Canal.Interop.Nvrtc;

namespace Canal.Cli.Tests;

/// <summary>What a failure in the middle of a job ends with: the machine's faults are not called defects, and each is one line.</summary>
public sealed class ExitCodesTests
{
    [Fact]
    public void ACardThatFails_IsTheMachinesFault_WithItsCure()
    {
        var (code, error) = Report(new CudaException(CudaProblem.CallFailed, "cuStreamSynchronize: CUDA_ERROR_ILLEGAL_ADDRESS (700)", "restart the command", 700, "a log\nof lines"));
        Assert.Equal(ExitCodes.Machine, code);
        Assert.Equal("canal: cuStreamSynchronize: CUDA_ERROR_ILLEGAL_ADDRESS (700); restart the command", error.TrimEnd());
    }

    public static TheoryData<Exception> Compilers => new()
    {
        new NvrtcMissingException("there is no NVRTC"),
        new NvrtcException("nvrtcCompileProgram: invalid option (5)", ["--gpu-architecture=sm_70"], "nvrtc: error: invalid value\nfor it"),
        new CudaKernelException("favor.cu does not compile\na long log"),
        new AggregateException(new CudaKernelException("favor.cu does not compile\na long log")),
    };

    [Theory]
    [MemberData(nameof(Compilers))]
    public void ACompilerThatDoesNotDo_IsTheMachinesFault_InOneLineWithAWayOut(Exception exception)
    {
        var (code, error) = Report(exception);
        Assert.Equal(ExitCodes.Machine, code);
        var line = Assert.Single(error.TrimEnd().Split('\n'));
        Assert.EndsWith("; canal doctor shows what was found, --device cpu computes without the card", line, StringComparison.Ordinal);
        Assert.DoesNotContain("log", line, StringComparison.Ordinal);
        Assert.DoesNotContain("for it", line, StringComparison.Ordinal);
    }

    [Fact]
    public void WhatNobodyExpected_IsADefect()
    {
        var (code, error) = Report(new InvalidOperationException("surprise"));
        Assert.Equal(ExitCodes.Defect, code);
        Assert.Contains("this is a defect of Canal", error, StringComparison.Ordinal);
    }

    private static (int Code, string Error) Report(Exception exception)
    {
        using var error = new StringWriter();
        var code = ExitCodes.Report(exception, debug: false, new CommandContext(TextWriter.Null, error, CancellationToken.None));
        return (code, error.ToString());
    }
}
