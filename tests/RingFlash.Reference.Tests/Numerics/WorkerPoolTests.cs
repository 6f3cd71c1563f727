// Red here: rows of an output are skipped or computed twice, or one failed run leaves every later run hanging.
using System;
using System.Linq;
using System.Threading;
using RingFlash.Reference.Numerics;
using Xunit;

namespace RingFlash.Reference.Tests.Numerics;

public sealed class WorkerPoolTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void EveryItemRunsExactlyOnceOnTheStatedWorker(int threads)
    {
        using WorkerPool pool = new(threads);
        Assert.Equal(threads, pool.ThreadCount);
        for (int items = 0; items <= 50; items++)
        {
            int[] runs = new int[items];
            int[] workers = new int[items];
            pool.Run(items, (first, end, worker) =>
            {
                for (int item = first; item < end; item++)
                {
                    Interlocked.Increment(ref runs[item]);
                    workers[item] = worker;
                }
            });
            Assert.All(runs, count => Assert.Equal(1, count));
            for (int item = 0; item < items && items > 1; item++)
            {
                int worker = workers[item];
                Assert.InRange(item, items * worker / threads, (items * (worker + 1) / threads) - 1);
            }
        }
    }

    [Theory]
    [InlineData(1, 0)]
    [InlineData(3, 0)] // the caller's own share
    [InlineData(3, 2)] // another thread's
    public void AnExceptionIsRethrownAndThePoolGoesOn(int threads, int failingWorker)
    {
        using WorkerPool pool = new(threads);
        for (int round = 0; round < 20; round++)
        {
            InvalidOperationException thrown = Assert.Throws<InvalidOperationException>(
                () => pool.Run(9, (_, _, worker) =>
                {
                    if (worker == failingWorker)
                    {
                        throw new InvalidOperationException("row 7");
                    }
                }));
            Assert.Equal("row 7", thrown.Message);

            int total = 0;
            pool.Run(9, (first, end, _) => Interlocked.Add(ref total, end - first));
            Assert.Equal(9, total);
        }
    }

    /// <summary>Runs close together find the workers spinning, runs after a pause find them asleep.</summary>
    [Theory]
    [InlineData(2)]
    [InlineData(5)]
    public void RunsCloseTogetherAndFarApartLoseNothing(int threads)
    {
        using WorkerPool pool = new(threads);
        long total = 0;
        const int Runs = 3000;
        for (int run = 0; run < Runs; run++)
        {
            pool.Run(threads, (first, end, _) => Interlocked.Add(ref total, end - first));
            if (run % 100 == 0)
            {
                Thread.Sleep(1);
            }
            else if (run % 10 == 0)
            {
                Thread.SpinWait(run % 97 * 20); // about as long as a worker spins
            }
        }

        Assert.Equal((long)Runs * threads, total);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void AStaticBodySeesSpansAndReferencesAndAllocatesNothing(int threads)
    {
        using WorkerPool pool = new(threads);
        int[] counts = new int[threads];
        float[] memory = new float[50];
        long before = 0;
        for (int run = 0; run < 50; run++)
        {
            if (run == 10)
            {
                before = GC.GetAllocatedBytesForCurrentThread();
            }

            Work work = new(memory.AsSpan(1, 48), counts);
            pool.Run(48, work, static (in state, first, end, worker) =>
            {
                foreach (ref float value in state.Values[first..end])
                {
                    value++;
                }

                state.Counts[worker] += end - first;
            });
        }

        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.Equal(48 * 50, Enumerable.Sum(counts));
        Assert.All(memory[1..49], value => Assert.Equal(50f, value));
        Assert.Equal((0f, 0f), (memory[0], memory[49]));
        Assert.Equal(0, allocated);
    }

    [Fact]
    public void ItRunsOnSeveralThreads()
    {
        using WorkerPool pool = new(3);
        int[] threadIds = new int[3];
        pool.Run(3, (first, _, worker) => threadIds[first] = worker == first ? Environment.CurrentManagedThreadId : 0);
        Assert.DoesNotContain(0, threadIds);
        Assert.Equal(3, new System.Collections.Generic.HashSet<int>(threadIds).Count);
    }

    [Fact]
    public void FewerThreadsCanTakePartForAWhile()
    {
        using WorkerPool pool = new(3);
        foreach (int threads in new[] { 1, 2, 3 })
        {
            pool.Use(threads);
            Assert.Equal(threads, pool.ThreadCount);
            int[] workers = [9, 9, 9, 9, 9, 9];
            pool.Run(6, (first, end, worker) => workers.AsSpan(first..end).Fill(worker));
            Assert.Equal([.. Enumerable.Range(0, 6).Select(item => item * threads / 6)], workers);
        }

        Assert.Throws<ArgumentOutOfRangeException>(() => pool.Use(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => pool.Use(4));
    }

    [Fact]
    public void NoThreadsAreRefused() => Assert.Throws<ArgumentOutOfRangeException>(() => new WorkerPool(0));

    private readonly ref struct Work(Span<float> values, int[] counts)
    {
        public readonly Span<float> Values = values;

        public readonly int[] Counts = counts;
    }
}
