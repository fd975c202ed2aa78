using Canal.Testing;

namespace Canal.Engine.Tests.Cuda.Nvrtc;

/// <summary>kernels/README.md tells the resources and predicted times of the kernels as they are. <c>make kernel-table</c> runs these tests to write it.</summary>
[Collection(CompiledKernelTests.Name)]
public sealed class KernelTableTests(CompiledKernels kernels)
{
    // Another version allots registers differently.
    private static readonly Version Pinned = new(11, 8);

    [SkippableFact]
    public void Resources_are_those_of_the_table()
    {
        var nvrtc = NvrtcForTests.Require();
        Skip.IfNot(nvrtc.Version == Pinned, $"The resources in kernels/README.md were told by NVRTC {Pinned}; this is {nvrtc.Version}.");
        MarkedText.Require("resources", KernelTable.Resources(kernels));
    }

    [SkippableFact]
    public void Predictions_are_those_of_the_table()
    {
        Skip.If(Repository.Root is null, "The tests run without their sources, kernels/README.md among them.");
        MarkedText.Require("predictions", KernelTable.Predictions(kernels));
        MarkedText.Require("expectations", KernelTable.Expectations(kernels));
        MarkedText.Require("predicted jobs", KernelTable.Jobs(kernels));
    }
}
