namespace Canal.Testing.Emulator;

/// <summary>The emulator saw a defect of a kernel; the message names kernel, place, block and thread.</summary>
public sealed class KernelDefectException : Exception
{
    /// <summary>Without a message.</summary>
    public KernelDefectException() { }

    /// <summary>With what the emulator says.</summary>
    public KernelDefectException(string message) : base(message) { }

    /// <summary>With what the emulator says, and the cause.</summary>
    public KernelDefectException(string message, Exception inner) : base(message, inner) { }
}
