using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using Canal.Engine.Tensors;

namespace Canal.Engine.Devices.Cpu;

/// <summary>
/// A fixed crew of threads for the kernels; the calling thread is worker 0. A job is cut into indices by its shape alone and the
/// workers claim them one by one, so that a late worker holds nobody up. Idle workers spin for some microseconds, then sleep.
/// A run allocates nothing. Driven by one thread at a time.
/// </summary>
public sealed unsafe class WorkerPool : IDisposable
{
    /// <summary>Most threads a pool may have.</summary>
    public const int MaximumThreads = 1024;

    // About 10 to 20 microseconds, the gap between two kernels of a step; none where threads must share cores.
    private const int SpinRounds = 300;

    private readonly Worker[] crew;
    private readonly int spinRounds;
    private readonly WorkerScratch scratch;
    private bool running;
    private bool disposed;

    // The job. Written before the tickets are handed out, read after one was taken.
    private delegate*<void*, int, int, void> call;
    private void* body;
    private int count;
    private PaddedCounter next;
    private PaddedCounter pending;
    private ExceptionDispatchInfo? failure;

    /// <summary>A pool of <paramref name="threads"/> threads, the caller included, whose scratch comes from <paramref name="memory"/>.</summary>
    public WorkerPool(int threads, MemoryPool memory)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(threads, MaximumThreads);
        spinRounds = threads <= Environment.ProcessorCount ? SpinRounds : 0;
        scratch = new WorkerScratch(memory, threads);
        crew = new Worker[threads];
        for (var w = 0; w < threads; w++) crew[w] = new Worker(w);
        for (var w = 1; w < threads; w++) crew[w].Start(this);
    }

    /// <summary>Number of workers, the calling thread included.</summary>
    public int Threads => crew.Length;

    /// <summary>Bytes of scratch that each worker owns now.</summary>
    public nuint ScratchBytes => scratch.Stride;

    /// <summary>Runs <paramref name="body"/> for every index below <paramref name="count"/> and returns when all are done.</summary>
    /// <remarks>The body is shared by all workers by reference and may point to the caller's stack. The first exception of any worker
    /// stops the claiming of further indices and is thrown here once all workers have let go.</remarks>
    /// <exception cref="InvalidOperationException">Called from within a running body.</exception>
    public void Run<TBody>(ref TBody body, int count) where TBody : struct, IParallelBody
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        if (count <= 0) return;
        if (running) throw new InvalidOperationException("A parallel body cannot start another parallel run.");
        running = true;
        try
        {
            var helpers = Math.Min(crew.Length, count) - 1;
            if (helpers == 0)
            {
                for (var index = 0; index < count; index++) body.Run(index, 0);
                return;
            }
            fixed (byte* address = &Unsafe.As<TBody, byte>(ref body))
            {
                RunShared(&Trampoline<TBody>, address, count, helpers);
            }
        }
        finally
        {
            running = false;
        }
    }

    /// <summary>
    /// Makes sure that each worker owns at least <paramref name="bytes"/> bytes of scratch. Called before <see cref="Run"/>, never within:
    /// so that which worker happens to come first decides nothing, not even when memory is taken. Counted in the device's pool.
    /// </summary>
    public void ReserveScratch(nuint bytes)
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        if (bytes <= scratch.Stride) return;
        if (running) throw new InvalidOperationException("Scratch is reserved before a parallel run, not within one.");
        scratch.Reserve(bytes);
    }

    /// <summary>A worker's own scratch of at least <paramref name="bytes"/> bytes, 64-byte aligned, contents undefined; valid until the run ends.</summary>
    /// <exception cref="InvalidOperationException">More than <see cref="ReserveScratch"/> set aside.</exception>
    public nint Scratch(int worker, nuint bytes)
    {
        if (bytes > scratch.Stride)
        {
            throw new InvalidOperationException(string.Create(
                CultureInfo.InvariantCulture, $"A worker asked for {bytes} bytes of scratch; the operation declared {scratch.Stride}."));
        }
        return scratch.Of(worker);
    }

    /// <summary>Ends the threads and returns the scratch.</summary>
    public void Dispose()
    {
        if (disposed) return;
        disposed = true;
        for (var w = 1; w < crew.Length; w++) crew[w].Stop();
        foreach (var worker in crew) worker.Dispose();
        scratch.Dispose();
    }

    private static void Trampoline<TBody>(void* body, int index, int worker) where TBody : struct, IParallelBody =>
        Unsafe.AsRef<TBody>(body).Run(index, worker);

    private void RunShared(delegate*<void*, int, int, void> trampoline, void* address, int indices, int helpers)
    {
        call = trampoline;
        body = address;
        count = indices;
        next.Value = 0;
        pending.Value = helpers;
        for (var w = 1; w <= helpers; w++) crew[w].HandOut();
        Claim(0);
        for (var w = 1; w <= helpers; w++)
        {
            if (crew[w].TakeBack()) Interlocked.Decrement(ref pending.Value);
        }
        crew[0].WaitForZero(ref pending.Value, spinRounds);
        call = null;
        body = null;
        if (failure is null) return;
        var thrown = failure;
        failure = null;
        thrown.Throw();
    }

    // Takes indices until none is left. Never throws: the caller must learn of it, on its own thread, when everybody has stopped.
    private void Claim(int worker)
    {
        try
        {
            while (true)
            {
                var index = unchecked(Interlocked.Increment(ref next.Value) - 1);
                if ((uint)index >= (uint)count) return;
                call(body, index, worker);
            }
        }
#pragma warning disable CA1031 // Whatever a kernel throws is carried to the caller.
        catch (Exception e)
#pragma warning restore CA1031
        {
            Interlocked.CompareExchange(ref failure, ExceptionDispatchInfo.Capture(e), null);
            Volatile.Write(ref next.Value, int.MaxValue - MaximumThreads - 1);
        }
    }

    // Body of worker threads 1 and up.
    internal void Work(Worker self)
    {
        while (self.Begin(spinRounds))
        {
            Claim(self.Index);
            self.End();
            if (Interlocked.Decrement(ref pending.Value) == 0) crew[0].Wake();
        }
    }
}
