namespace Canal.Interop.Nvrtc;

/// <summary><c>nvrtcResult</c>, as far as it is told apart here.</summary>
internal enum NvrtcStatus
{
    Success = 0,
    OutOfMemory = 1,
    InvalidOption = 5,
    Compilation = 6,
    BuiltinOperationFailure = 7,
}
