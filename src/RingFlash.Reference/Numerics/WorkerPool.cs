using System;
using System.Threading;

namespace RingFlash.Reference.Numerics;

/// <summary>
/// A fixed set of threads that split a range of independent work items. The split is static: worker w of W takes items
/// ⌊n·w/W⌋ … ⌊n·(w+1)/W⌋ − 1. No sum is ever split across items, so results do not depend on the number of workers.
/// </summary>
/// <remarks>
/// One caller at a time. The caller's own thread is worker 0. Between two runs a worker spins for some microseconds
/// before it sleeps. The pool also keeps the scratch memory of the operators, so that they need not allocate.
/// </remarks>
public sealed unsafe class WorkerPool : IDisposable
{
    private readonly Thread[] threads;
    private readonly BriefSignal[] starts;
    private readonly BriefSignal finished = new();
    private readonly ScratchMemory[] scratch;
    private Delegate? body;
    private void* state;
    private delegate*<WorkerPool, int, int, int, void> invoke;
    private int itemCount;
    private int unfinished;
    private Exception? failure;
    private bool stopping;

    /// <summary>Starts the threads.</summary>
    /// <param name="threadCount">The number of workers, at least 1.</param>
    public WorkerPool(int threadCount)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threadCount, 1);
        ThreadCount = threadCount;
        threads = new Thread[threadCount - 1];
        starts = new BriefSignal[threadCount - 1];
        scratch = new ScratchMemory[threadCount];
        for (int worker = 0; worker < threadCount; worker++)
        {
            scratch[worker] = new ScratchMemory();
        }

        for (int index = 0; index < threads.Length; index++)
        {
            int worker = index + 1;
            starts[index] = new BriefSignal();
            threads[index] =
                new Thread(() => Work(worker)) { IsBackground = true, Name = $"ringflash worker {worker}" };
            threads[index].Start();
        }
    }

    /// <summary>The number of workers, the caller included.</summary>
    public int ThreadCount { get; private set; }

    /// <summary>Memory for the operator that is running, readable by all workers.</summary>
    internal ScratchMemory SharedScratch { get; } = new();

    /// <summary>Memory of one worker.</summary>
    /// <param name="worker">The worker's number.</param>
    /// <returns>For use by that worker within one run.</returns>
    internal ScratchMemory Scratch(int worker) => scratch[worker];

    /// <summary>Lets only so many workers take part from here on: benchmarks compare many with one.</summary>
    /// <param name="threadCount">From 1 to the number of threads that were started.</param>
    internal void Use(int threadCount)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threadCount, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(threadCount, threads.Length + 1);
        ThreadCount = threadCount;
    }

    /// <summary>Runs <paramref name="range"/> once per worker that has items, and returns when all are done.</summary>
    /// <param name="items">The number of items.</param>
    /// <param name="range">Receives first item, end (exclusive) and the worker's number.</param>
    public void Run(int items, Action<int, int, int> range)
    {
        ArgumentNullException.ThrowIfNull(range);
        Run(items, range, static (in body, first, end, worker) => body(first, end, worker));
    }

    /// <summary>The same for a static body, which captures nothing and so is not allocated at every call.</summary>
    /// <typeparam name="TState">What the body works on; pinned pointers, spans and references alike.</typeparam>
    /// <param name="items">The number of items.</param>
    /// <param name="shared">What the body works on.</param>
    /// <param name="range">Receives it, first item, end (exclusive) and the worker's number.</param>
    public void Run<TState>(int items, scoped in TState shared, RangeBody<TState> range)
        where TState : allows ref struct
    {
        ArgumentNullException.ThrowIfNull(range);
        if (ThreadCount == 1 || items <= 1)
        {
            if (items > 0)
            {
                range(shared, 0, items, 0);
            }

            return;
        }

#pragma warning disable CS8500 // a pointer to a type with references: what it points to is pinned until all are done
        fixed (TState* pointer = &shared)
        {
            state = pointer;
#pragma warning restore CS8500
            body = range;
            invoke = &Invoke<TState>;
            RunShares(items);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        stopping = true;
        foreach (BriefSignal start in starts)
        {
            start.Set();
        }

        foreach (Thread thread in threads)
        {
            thread.Join();
        }

        foreach (BriefSignal start in starts)
        {
            start.Dispose();
        }

        foreach (ScratchMemory memory in scratch)
        {
            memory.Dispose();
        }

        finished.Dispose();
        SharedScratch.Dispose();
    }

    private void Work(int worker)
    {
        while (true)
        {
            starts[worker - 1].Wait();
            if (stopping)
            {
                return;
            }

            try
            {
                RunShare(worker);
            }
            catch (Exception exception)
            {
                failure = exception; // rethrown on the caller's thread
            }
            finally
            {
                if (Interlocked.Decrement(ref unfinished) == 0)
                {
                    finished.Set();
                }
            }
        }
    }

    private static void Invoke<TState>(WorkerPool pool, int first, int end, int worker)
        where TState : allows ref struct
    {
#pragma warning disable CS8500 // see Run
        ((RangeBody<TState>)pool.body!)(in *(TState*)pool.state, first, end, worker);
#pragma warning restore CS8500
    }

    private void RunShares(int items)
    {
        itemCount = items;
        failure = null;
        unfinished = ThreadCount - 1;
        foreach (BriefSignal start in starts.AsSpan(0, unfinished))
        {
            start.Set();
        }

        try
        {
            RunShare(0);
        }
        finally
        {
            finished.Wait();
            body = null;
        }

        if (failure is not null)
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(failure);
        }
    }

    private void RunShare(int worker)
    {
        int first = (int)((long)itemCount * worker / ThreadCount);
        int end = (int)((long)itemCount * (worker + 1) / ThreadCount);
        if (first < end)
        {
            invoke(this, first, end, worker);
        }
    }
}

/// <summary>A body of <see cref="WorkerPool.Run{TState}"/>.</summary>
/// <typeparam name="TState">What the body works on.</typeparam>
/// <param name="state">The same for every worker.</param>
/// <param name="first">The first item.</param>
/// <param name="end">The end, exclusive.</param>
/// <param name="worker">The worker's number.</param>
public delegate void RangeBody<TState>(in TState state, int first, int end, int worker)
    where TState : allows ref struct;
