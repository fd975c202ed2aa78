namespace Canal.Engine.Devices.Cuda.Compiler;

/// <summary>What one kernel takes of a multiprocessor, as the assembler tells it.</summary>
/// <param name="Kernel">The kernel's name.</param>
/// <param name="Registers">Registers of a thread.</param>
/// <param name="SharedBytes">Static shared memory of a block, in bytes.</param>
/// <param name="StackBytes">Stack frame of a thread, in bytes: arrays indexed by what is not constant, and spills.</param>
/// <param name="SpillStoreBytes">Bytes that a thread spills from registers.</param>
/// <param name="SpillLoadBytes">Bytes that a thread loads back.</param>
public sealed record KernelResources(string Kernel, int Registers, int SharedBytes, int StackBytes, int SpillStoreBytes, int SpillLoadBytes);
