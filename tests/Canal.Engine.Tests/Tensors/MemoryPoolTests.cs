using Canal.Engine.Tensors;

namespace Canal.Engine.Tests.Tensors;

public sealed class MemoryPoolTests
{
    [Fact]
    public void SizeClassesLoseAtMostAnEighth()
    {
        for (nuint bytes = 1; bytes < 1 << 20; bytes += 1 + (bytes / 97))
        {
            var size = MemoryPool.SizeClass(bytes);
            Assert.True(size >= bytes, $"{bytes} bytes got {size}.");
            if (bytes > 512) Assert.True(size - bytes <= bytes / 8, $"{bytes} bytes got {size}.");
            Assert.Equal(0u, size % 64);
            Assert.Equal(size, MemoryPool.SizeClass(size));
        }
    }

    [Fact]
    public void BlocksAreReusedAndCounted()
    {
        var source = new CountingSource();
        using var pool = new MemoryPool(source);
        var first = pool.Rent(1000);
        var second = pool.Rent(1000);
        Assert.Equal(2048u, pool.Used);
        first.Dispose();
        Assert.Equal((1024u, 2048u), (pool.Used, pool.Held));
        Assert.Same(first, pool.Rent(970));
        second.Dispose();
        pool.Rent(5000);
        Assert.Equal(3, pool.SourceAllocations);
        Assert.Equal(pool.HighWater, pool.Held);
        pool.Trim();
        Assert.Equal(pool.Used, pool.Held);
        Assert.Equal(pool.Held, source.Bytes);
    }

    [Fact]
    public void TheLimitIsKeptBecauseFreeBlocksGoFirst()
    {
        var source = new CountingSource();
        using var pool = new MemoryPool(source, 8192);
        pool.Rent(4096).Dispose();
        var block = pool.Rent(6144);
        Assert.Equal(6144u, source.Bytes);
        var thrown = Assert.Throws<InsufficientMemoryException>(() => pool.Rent(4096));
        Assert.Contains("--memory-limit", thrown.Message, StringComparison.Ordinal);
        block.Dispose();
        pool.Rent(8192);
    }

    [Fact]
    public void AnExhaustedSourceIsAskedAgainOnceFreeBlocksAreGivenBack()
    {
        var source = new CountingSource { Room = 8192 };
        using var pool = new MemoryPool(source);
        var kept = pool.Rent(1024);
        pool.Rent(4096).Dispose();
        var block = pool.Rent(6144);
        Assert.Equal((7168u, 7168u), (pool.Held, source.Bytes));
        Assert.Throws<InsufficientMemoryException>(() => pool.Rent(2048));
        Assert.Equal((7168u, 7168u), (pool.Used, pool.Held));
        kept.Dispose();
        block.Dispose();
    }

    [Fact]
    public void ReturningTwiceIsRefused()
    {
        using var pool = new MemoryPool(new CountingSource());
        var block = pool.Rent(10);
        block.Dispose();
        Assert.Throws<ObjectDisposedException>(block.Dispose);
    }

    [Fact]
    public void RentingAgainAllocatesNothing()
    {
        using var pool = new MemoryPool(new CountingSource());
        pool.Rent(3000).Dispose();
        pool.Rent(3000).Dispose(); // the runtime allocates once when a block is first handed out again
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++) pool.Rent(3000).Dispose();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private sealed class CountingSource : IMemorySource
    {
        private nint next = 64;

        public nuint Bytes { get; private set; }

        public nuint Room { get; init; } = nuint.MaxValue;

        public nint Allocate(nuint bytes)
        {
            if (bytes > Room - Bytes) throw new InsufficientMemoryException();
            Bytes += bytes;
            return next += 64;
        }

        public void Free(nint pointer, nuint bytes) => Bytes -= bytes;
    }
}
