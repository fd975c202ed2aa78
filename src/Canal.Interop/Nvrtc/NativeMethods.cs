using System.Runtime.InteropServices;

namespace Canal.Interop.Nvrtc;

/// <summary>The functions of nvrtc.h that Canal uses, with their C names; unchanged from CUDA 11.2 to 13.</summary>
internal static unsafe partial class NativeMethods
{
    internal const string Library = "nvrtc";

    [LibraryImport(Library)] internal static partial NvrtcStatus nvrtcVersion(out int major, out int minor);
    [LibraryImport(Library)] internal static partial NvrtcStatus nvrtcGetNumSupportedArchs(out int count);
    [LibraryImport(Library)] internal static partial NvrtcStatus nvrtcGetSupportedArchs(int* architectures);
    [LibraryImport(Library)] internal static partial nint nvrtcGetErrorString(NvrtcStatus status);

    [LibraryImport(Library)] internal static partial NvrtcStatus nvrtcCreateProgram(out NvrtcProgramHandle program, byte* source, byte* name, int headers, byte** headerTexts, byte** headerNames);
    [LibraryImport(Library)] internal static partial NvrtcStatus nvrtcDestroyProgram(ref nint program);
    [LibraryImport(Library)] internal static partial NvrtcStatus nvrtcCompileProgram(NvrtcProgramHandle program, int options, byte** optionTexts);
    [LibraryImport(Library)] internal static partial NvrtcStatus nvrtcGetProgramLogSize(NvrtcProgramHandle program, out nuint size);
    [LibraryImport(Library)] internal static partial NvrtcStatus nvrtcGetProgramLog(NvrtcProgramHandle program, byte* log);
    [LibraryImport(Library)] internal static partial NvrtcStatus nvrtcGetPTXSize(NvrtcProgramHandle program, out nuint size);
    [LibraryImport(Library)] internal static partial NvrtcStatus nvrtcGetPTX(NvrtcProgramHandle program, byte* ptx);
    [LibraryImport(Library)] internal static partial NvrtcStatus nvrtcGetCUBINSize(NvrtcProgramHandle program, out nuint size);
    [LibraryImport(Library)] internal static partial NvrtcStatus nvrtcGetCUBIN(NvrtcProgramHandle program, byte* cubin);
}
