using Canal.Engine.Devices;

namespace Canal.Engine.Tests.Conformance;

/// <summary>What is known of a family before there are devices: which cases are named.</summary>
public interface IDeviceFamily
{
    /// <summary>Whether the devices compute in half precision; the cases that need it are left out where they do not.</summary>
    static abstract bool HasHalf { get; }

    /// <summary>Whether there are such devices on this machine; where not, one row of each theory stands for all, and says so.</summary>
    static virtual bool IsThere => true;
}

/// <summary>Devices that must all give the same bits. The first is the one compared with.</summary>
public abstract class DeviceFamily : IDisposable
{
    /// <summary>The devices.</summary>
    public List<Device> All { get; } = [];

    /// <summary>The device that is watched for allocations.</summary>
    public abstract Device Watched { get; }

    /// <summary>Skips the running test where the family cannot be had.</summary>
    public virtual void Require() { }

    /// <summary>The watched device; skips the running test where the family cannot be had.</summary>
    public Device Ready()
    {
        Require();
        return Watched;
    }

    /// <summary>Whether the family runs an operation.</summary>
    public abstract bool Implements(Type operation);

    /// <summary>Whether an operation gives the same bits wherever its tensors begin: not where a library chooses its kernel by that.</summary>
    public virtual bool SameBitsHoweverAligned(Type operation) => true;

    public void Dispose()
    {
        foreach (var device in All) device.Dispose();
        GC.SuppressFinalize(this);
    }
}
