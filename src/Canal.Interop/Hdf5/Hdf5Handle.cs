using System.Runtime.InteropServices;

namespace Canal.Interop.Hdf5;

/// <summary>Any identifier of libhdf5: file, object, type, space, property list. One release serves every kind.</summary>
internal sealed class Hdf5Handle : SafeHandle
{
    private Hdf5Handle(long id) : base(invalidHandleValue: -1, ownsHandle: true) => SetHandle((nint)id);

    /// <inheritdoc/>
    public override bool IsInvalid => handle < 0;

    /// <summary>The identifier, for calls made under the lock.</summary>
    public long Id => IsClosed ? throw new ObjectDisposedException(nameof(Hdf5Handle)) : handle;

    /// <summary>Owns an identifier just returned by the library, or throws with its reasons.</summary>
    public static Hdf5Handle Own(long id, string attempt) => id >= 0 ? new Hdf5Handle(id) : throw Hdf5Library.Error(attempt);

    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        lock (Hdf5Library.Gate) return NativeMethods.H5Idec_ref(handle) >= 0;
    }
}
