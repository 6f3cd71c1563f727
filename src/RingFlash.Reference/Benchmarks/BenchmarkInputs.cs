using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Benchmarks;

/// <summary>
/// Threads, and inputs in memory. Weights and activations come in sets that together are several times as large as the
/// last-level cache and are used in turn, so that they come from memory as they do in a model.
/// </summary>
internal sealed class BenchmarkInputs : IDisposable
{
    private readonly long rotation;
    private object? residentKey;
    private IDisposable? resident;

    /// <summary>Starts without inputs.</summary>
    /// <param name="workers">The threads.</param>
    /// <param name="rotation">See <see cref="RotationBytes"/>.</param>
    public BenchmarkInputs(WorkerPool workers, long rotation)
    {
        Workers = workers;
        this.rotation = rotation;
    }

    /// <summary>The threads.</summary>
    public WorkerPool Workers { get; }

    /// <summary>How many bytes a set of rotating inputs has at least.</summary>
    /// <param name="lastLevelCache">The cache, in bytes.</param>
    /// <returns>Eight times as many.</returns>
    public static long RotationBytes(long lastLevelCache) => 8 * lastLevelCache;

    /// <summary>How many inputs of a size make a set.</summary>
    /// <param name="bytes">Of one input.</param>
    /// <param name="rotation">Of the set.</param>
    /// <returns>At least 1.</returns>
    public static int SetCount(long bytes, long rotation) => (int)Math.Max(1, (rotation + bytes - 1) / bytes);

    /// <summary>How many inputs of a size make a set here.</summary>
    /// <param name="bytes">Of one input.</param>
    /// <returns>At least 1.</returns>
    public int SetCount(long bytes) => SetCount(bytes, rotation);

    /// <summary>Resident bf16 weights; the set is kept for the next case with the same shapes.</summary>
    /// <param name="shapes">The shapes [outputs, inputs] of one input, e.g. the three matrices of an expert.</param>
    /// <returns>The matrices, input after input.</returns>
    public IReadOnlyList<WeightMatrix> Weights(params (int Outputs, int Inputs)[] shapes) => Keep(
        Key(shapes),
        () => new ResidentSet(shapes, SetCount(shapes.Sum(shape => 2L * shape.Outputs * shape.Inputs)), Workers))
        .Matrices;

    /// <summary>What names the weights of some shapes in <see cref="BenchmarkCase.Weights"/>.</summary>
    /// <param name="shapes">The shapes [outputs, inputs].</param>
    /// <returns>The key.</returns>
    public static object Key(params (int Outputs, int Inputs)[] shapes) => string.Join(' ', shapes);

    /// <summary>Finds weights that the last case made, or makes them.</summary>
    /// <typeparam name="T">What holds them.</typeparam>
    /// <param name="key">Names them.</param>
    /// <param name="make">Makes them.</param>
    /// <returns>The weights; to be disposed of by this object.</returns>
    public T Keep<T>(object key, Func<T> make)
        where T : class, IDisposable
    {
        ReleaseUnless(key);
        residentKey = key;
        return (T)(resident ??= make());
    }

    /// <summary>Gives kept weights back, if the next case cannot use them.</summary>
    /// <param name="key">What the next case will ask for; null for nothing.</param>
    public void ReleaseUnless(object? key)
    {
        if (!Equals(key, residentKey))
        {
            resident?.Dispose();
            resident = null;
            residentKey = null;
        }
    }

    /// <summary>Numbers between −½ and ½.</summary>
    /// <param name="count">How many.</param>
    /// <param name="seed">Names them.</param>
    /// <returns>The numbers.</returns>
    public static float[] Values(int count, ulong seed)
    {
        float[] values = new float[count];
        ulong state = seed;
        for (int index = 0; index < count; index++)
        {
            state = unchecked((state * 6364136223846793005) + 1442695040888963407); // Knuth's MMIX
            values[index] = ((state >> 40) / 16777216f) - 0.5f;
        }

        return values;
    }

    /// <inheritdoc/>
    public void Dispose() => ReleaseUnless(null);

    /// <summary>Packed synthetic weights of equal shapes.</summary>
    private sealed class ResidentSet : IDisposable
    {
        public ResidentSet((int Outputs, int Inputs)[] shapes, int count, WorkerPool workers)
        {
            TensorInfo[] tensors = [.. Enumerable.Range(0, count).SelectMany(index => shapes.Select((shape, part) =>
                new TensorInfo(
                    $"benchmark.{index}.{part}.weight", ElementType.BFloat16, [shape.Outputs, shape.Inputs])))];
            SyntheticSource source = new("benchmark", 1, tensors);
            Matrices = [.. tensors.Select(tensor => new SourceMatrix(source, tensor, roundToBFloat16: false))];
            foreach (WeightMatrix matrix in Matrices)
            {
                matrix.Pack(workers);
            }
        }

        public IReadOnlyList<WeightMatrix> Matrices { get; }

        public void Dispose()
        {
            foreach (WeightMatrix matrix in Matrices)
            {
                matrix.Unpack();
            }
        }
    }
}

/// <summary>Takes one of a set after the other.</summary>
/// <typeparam name="T">What is taken.</typeparam>
/// <param name="items">The set.</param>
internal sealed class Rotation<T>(IReadOnlyList<T> items)
{
    private int turn = -1;

    /// <summary>The next one.</summary>
    /// <returns>It.</returns>
    public T Next() => items[turn = (turn + 1) % items.Count];
}
