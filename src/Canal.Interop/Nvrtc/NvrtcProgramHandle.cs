using System.Runtime.InteropServices;

namespace Canal.Interop.Nvrtc;

/// <summary>A program inside NVRTC. Used by one thread at a time.</summary>
internal sealed class NvrtcProgramHandle() : SafeHandle(invalidHandleValue: 0, ownsHandle: true)
{
    /// <inheritdoc/>
    public override bool IsInvalid => handle == 0;

    /// <inheritdoc/>
    protected override bool ReleaseHandle() => NativeMethods.nvrtcDestroyProgram(ref handle) == NvrtcStatus.Success;
}
