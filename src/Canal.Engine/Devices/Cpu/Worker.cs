using System.Globalization;
using System.Runtime.InteropServices;

namespace Canal.Engine.Devices.Cpu;

/// <summary>A counter alone on its cache lines, so that its traffic slows nothing else down.</summary>
[StructLayout(LayoutKind.Explicit, Size = 256)]
internal struct PaddedCounter
{
    [FieldOffset(128)] public int Value;
}

/// <summary>One member of a <see cref="WorkerPool"/>: an offer that says there is work, and a way to sleep until then.</summary>
internal sealed class Worker(int index) : IDisposable
{
    private const int Awake = 0;
    private const int Asleep = 1;
    private const int Nothing = 0;
    private const int Offered = 1;
    private const int Begun = 2;

    private readonly AutoResetEvent bell = new(false);
    private Thread? thread;
    private PaddedCounter offer;
    private PaddedCounter sleeping;
    private volatile bool stopping;

    public int Index { get; } = index;

    public void Start(WorkerPool pool)
    {
        thread = new Thread(() => pool.Work(this))
        {
            IsBackground = true,
            Name = string.Create(CultureInfo.InvariantCulture, $"canal-worker-{Index}"),
        };
        thread.Start();
    }

    /// <summary>Tells the worker, from the calling thread, that a job waits for it.</summary>
    public void HandOut()
    {
        Volatile.Write(ref offer.Value, Offered);
        Wake();
    }

    /// <summary>
    /// Takes a job back that the worker has not begun: on a busy machine the caller has then done all of it and need not wait until the
    /// system finds time for this thread. False where the worker has begun.
    /// </summary>
    public bool TakeBack() => Interlocked.CompareExchange(ref offer.Value, Nothing, Offered) == Offered;

    /// <summary>Waits for a job and begins it; false when the pool ends.</summary>
    public bool Begin(int spinRounds)
    {
        var spun = 0;
        while (!stopping)
        {
            if (Volatile.Read(ref offer.Value) == Offered && Interlocked.CompareExchange(ref offer.Value, Begun, Offered) == Offered) return true;
            if (spun++ < spinRounds) Thread.SpinWait(1);
            else Sleep(ref offer.Value, Nothing);
        }
        return false;
    }

    /// <summary>Says, before the caller is told, that the job is done and another may be handed out.</summary>
    public void End() => Volatile.Write(ref offer.Value, Nothing);

    /// <summary>Waits until <paramref name="counter"/> is zero; whoever brings it there calls <see cref="Wake"/>.</summary>
    public void WaitForZero(ref int counter, int spinRounds)
    {
        var spun = 0;
        int value;
        while ((value = Volatile.Read(ref counter)) != 0)
        {
            if (spun++ < spinRounds) Thread.SpinWait(1);
            else Sleep(ref counter, value);
        }
    }

    /// <summary>Wakes the worker if it sleeps.</summary>
    public void Wake()
    {
        // The full fence of the exchange orders it after the change that the sleeper looks for; see Sleep.
        if (Interlocked.Exchange(ref sleeping.Value, Awake) == Asleep) bell.Set();
    }

    public void Stop()
    {
        stopping = true;
        Wake();
        thread?.Join();
    }

    public void Dispose() => bell.Dispose();

    // Announces the sleep, then looks once more: either this look sees the change, or the changer sees the announcement. A bell that
    // rings after all is heard at the next sleep, which then merely looks again.
    private void Sleep(ref int value, int old)
    {
        Interlocked.Exchange(ref sleeping.Value, Asleep);
        if (Volatile.Read(ref value) != old || stopping)
        {
            Interlocked.Exchange(ref sleeping.Value, Awake);
            return;
        }
        bell.WaitOne();
    }
}
