using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Benchmarks;

/// <summary>A ceiling on some number of threads.</summary>
/// <param name="Threads">The threads.</param>
/// <param name="ReadBytesPerSecond">Reading memory that no cache holds; the median.</param>
/// <param name="OperationsPerSecond">Float32 fused multiply-adds in registers, two operations each; the median.</param>
public sealed record Ceiling(int Threads, double ReadBytesPerSecond, double OperationsPerSecond);

/// <summary>
/// What this machine can do at most, measured on the same threads as the operators: reading memory larger than any
/// cache with 512-bit loads, and fused multiply-adds in registers.
/// </summary>
internal sealed unsafe class MachineCeilings : IDisposable
{
    // Sixteen chains hide a latency of eight instructions of half the throughput; the registers hold them all.
    private const int ChainCount = 16;
    private const int OperationsPerStep = 2 * ChainCount;
    private const int Line = 64;

    private static float sink;

    private readonly WorkerPool workers;
    private readonly AlignedBuffer memory;
    private readonly long bytes;
    private long position;

    /// <summary>Takes and fills memory; each worker places the part that it will read.</summary>
    /// <param name="workers">The threads.</param>
    /// <param name="bytes">Well above the last-level cache.</param>
    public MachineCeilings(WorkerPool workers, long bytes)
    {
        this.workers = workers;
        long share = bytes / workers.ThreadCount / sizeof(float) / Line * Line; // floats of a worker
        this.bytes = share * workers.ThreadCount * sizeof(float);
        memory = new AlignedBuffer(share * workers.ThreadCount);
        workers.Run(workers.ThreadCount, (first, end, _) =>
        {
            for (int worker = first; worker < end; worker++)
            {
                float* start = memory.Pointer + (worker * share);
                for (long index = 0; index < share; index++)
                {
                    start[index] = index; // pages that were never written are all one page of zeros
                }
            }
        });
    }

    /// <summary>Measures both ceilings on 1, 2, 4 … threads.</summary>
    /// <param name="most">The largest number of threads; always among them.</param>
    /// <param name="bytes">How much to read; the memory is as large.</param>
    /// <param name="rounds">How often.</param>
    /// <returns>One per number of threads, ascending.</returns>
    public static IReadOnlyList<Ceiling> Measure(int most, long bytes, int rounds)
    {
        List<Ceiling> ceilings = [];
        for (int threads = 1; threads <= most; threads = threads < most ? Math.Min(2 * threads, most) : most + 1)
        {
            using WorkerPool workers = new(threads);
            using MachineCeilings machine = new(workers, bytes);
            double operations = 1e8 * threads;
            machine.Read(bytes);
            machine.MultiplyAdd(operations);
            double[] reads = new double[rounds], rates = new double[rounds];
            for (int round = 0; round < rounds; round++)
            {
                reads[round] = machine.Read(bytes);
                rates[round] = machine.MultiplyAdd(operations);
            }

            ceilings.Add(new Ceiling(
                threads, machine.bytes / Quartiles.Of(reads).Median, operations / Quartiles.Of(rates).Median));
        }

        return ceilings;
    }

    /// <summary>Reads as many bytes as a case must move, each worker its share, on from where the last read
    /// ended.</summary>
    /// <param name="count">Bytes.</param>
    /// <returns>Seconds, scaled to exactly as many bytes.</returns>
    public double Read(double count)
    {
        long share = bytes / workers.ThreadCount;
        long part = Math.Clamp((long)(count / workers.ThreadCount) / (4 * Line) * (4 * Line), 4 * Line, share);
        long start = position + part <= share ? position : 0;
        position = start + part;
        long began = Stopwatch.GetTimestamp();
        workers.Run(workers.ThreadCount, (first, end, _) =>
        {
            for (int worker = first; worker < end; worker++)
            {
                byte* from = (byte*)memory.Pointer + (worker * share) + start;
                Sum((float*)from, (float*)(from + part));
            }
        });
        return Stopwatch.GetElapsedTime(began).TotalSeconds * count / (part * (double)workers.ThreadCount);
    }

    /// <summary>Computes and forgets.</summary>
    /// <param name="operations">Two per fused multiply-add, over all threads.</param>
    /// <returns>Seconds, scaled to exactly as many operations.</returns>
    public double MultiplyAdd(double operations)
    {
        int lanes = Vector512.IsHardwareAccelerated ? Vector512<float>.Count : Vector256<float>.Count;
        long steps = Math.Max(1, (long)(operations / workers.ThreadCount / (OperationsPerStep * lanes)));
        long began = Stopwatch.GetTimestamp();
        workers.Run(workers.ThreadCount, (first, end, _) =>
        {
            for (int worker = first; worker < end; worker++)
            {
                if (Vector512.IsHardwareAccelerated)
                {
                    Chains512(steps);
                }
                else
                {
                    Chains256(steps);
                }
            }
        });
        double seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
        return seconds * operations / ((double)steps * OperationsPerStep * lanes * workers.ThreadCount);
    }

    /// <inheritdoc/>
    public void Dispose() => memory.Dispose();

    /// <summary>Reads memory on one thread.</summary>
    /// <param name="first">The first element.</param>
    /// <param name="end">Behind the last; 64 divides the number of elements.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Sum(float* first, float* end)
    {
        Vector512<float> a = Vector512<float>.Zero, b = a, c = a, d = a;
        for (float* x = first; x < end; x += 64)
        {
            a += Vector512.Load(x);
            b += Vector512.Load(x + 16);
            c += Vector512.Load(x + 32);
            d += Vector512.Load(x + 48);
        }

        sink = Vector512.Sum(a + b + c + d);
    }

    /// <summary>Sixteen fused multiply-adds of sixteen lanes a step, on one thread.</summary>
    /// <param name="steps">The steps.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Chains512(long steps)
    {
        Vector512<float> x = Vector512.Create(0.5f), y = Vector512.Create(0.25f);
        Vector512<float> a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x;
        Vector512<float> i = x, j = x, k = x, l = x, m = x, n = x, o = x, p = x;
        for (long step = 0; step < steps; step++)
        {
            a = Vector512.FusedMultiplyAdd(a, x, y);
            b = Vector512.FusedMultiplyAdd(b, x, y);
            c = Vector512.FusedMultiplyAdd(c, x, y);
            d = Vector512.FusedMultiplyAdd(d, x, y);
            e = Vector512.FusedMultiplyAdd(e, x, y);
            f = Vector512.FusedMultiplyAdd(f, x, y);
            g = Vector512.FusedMultiplyAdd(g, x, y);
            h = Vector512.FusedMultiplyAdd(h, x, y);
            i = Vector512.FusedMultiplyAdd(i, x, y);
            j = Vector512.FusedMultiplyAdd(j, x, y);
            k = Vector512.FusedMultiplyAdd(k, x, y);
            l = Vector512.FusedMultiplyAdd(l, x, y);
            m = Vector512.FusedMultiplyAdd(m, x, y);
            n = Vector512.FusedMultiplyAdd(n, x, y);
            o = Vector512.FusedMultiplyAdd(o, x, y);
            p = Vector512.FusedMultiplyAdd(p, x, y);
        }

        sink = Vector512.Sum(a + b + c + d + e + f + g + h + i + j + k + l + m + n + o + p);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Chains256(long steps)
    {
        Vector256<float> x = Vector256.Create(0.5f), y = Vector256.Create(0.25f);
        Vector256<float> a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x;
        for (long step = 0; step < 2 * steps; step++)
        {
            a = Vector256.FusedMultiplyAdd(a, x, y);
            b = Vector256.FusedMultiplyAdd(b, x, y);
            c = Vector256.FusedMultiplyAdd(c, x, y);
            d = Vector256.FusedMultiplyAdd(d, x, y);
            e = Vector256.FusedMultiplyAdd(e, x, y);
            f = Vector256.FusedMultiplyAdd(f, x, y);
            g = Vector256.FusedMultiplyAdd(g, x, y);
            h = Vector256.FusedMultiplyAdd(h, x, y);
        }

        sink = Vector256.Sum(a + b + c + d + e + f + g + h);
    }
}
