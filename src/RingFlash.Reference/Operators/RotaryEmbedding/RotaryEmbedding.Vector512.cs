using System;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

public static partial class RotaryEmbedding
{
    /// <summary>
    /// Lanes: sixteen consecutive d of the first half together with their partners in the second. Remainder: the scalar
    /// expressions. Nothing is fused, as in <see cref="Scalar"/>.
    /// </summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="x">[headDim], float32, read.</param>
    /// <param name="cosine">[R], float32, read.</param>
    /// <param name="sine">[R], float32, read.</param>
    /// <param name="y">[headDim], float32, written; not x.</param>
    public static void Vectorised<TPrecision>(
        ReadOnlySpan<float> x, ReadOnlySpan<float> cosine, ReadOnlySpan<float> sine, Span<float> y)
        where TPrecision : struct, IPrecision
    {
        int half = cosine.Length / 2, d = 0;
        sine = sine[..cosine.Length];
        x[cosine.Length..].CopyTo(y[cosine.Length..]);
        ref float from = ref MemoryMarshal.GetReference(x), to = ref MemoryMarshal.GetReference(y);
        ref float cosines = ref MemoryMarshal.GetReference(cosine), sines = ref MemoryMarshal.GetReference(sine);
        for (; d + 16 <= half; d += 16)
        {
            nuint left = (nuint)d, right = (nuint)(d + half);
            Vector512<float> first = Vector512.LoadUnsafe(ref from, left);
            Vector512<float> second = Vector512.LoadUnsafe(ref from, right);
            TPrecision.Round(
                TPrecision.Round(first * Vector512.LoadUnsafe(ref cosines, left))
                + TPrecision.Round(-second * Vector512.LoadUnsafe(ref sines, left))).StoreUnsafe(ref to, left);
            TPrecision.Round(
                TPrecision.Round(second * Vector512.LoadUnsafe(ref cosines, right))
                + TPrecision.Round(first * Vector512.LoadUnsafe(ref sines, right))).StoreUnsafe(ref to, right);
        }

        for (; d < half; d++)
        {
            y[d] = TPrecision.Round(
                TPrecision.Round(x[d] * cosine[d]) + TPrecision.Round(-x[d + half] * sine[d]));
            y[d + half] = TPrecision.Round(
                TPrecision.Round(x[d + half] * cosine[d + half]) + TPrecision.Round(x[d] * sine[d + half]));
        }
    }

    private static void Split<TPrecision>(
        WorkerPool workers,
        ReadOnlySpan<float> x,
        int heads,
        int tokens,
        int headDim,
        ReadOnlySpan<float> cosine,
        ReadOnlySpan<float> sine,
        int rotaryDim,
        Span<float> y)
        where TPrecision : struct, IPrecision =>
        RowSplit.Run(
            workers,
            x.Length / headDim,
            x,
            [],
            y,
            new Rotation(heads, tokens, headDim, cosine, sine, rotaryDim),
            static (in rotation, firstRow, rows, _, output) => Rows<TPrecision>(
                ExecutionEngine.Vector512,
                firstRow,
                rows,
                rotation.Heads,
                rotation.Tokens,
                rotation.HeadDim,
                rotation.Cosine,
                rotation.Sine,
                rotation.RotaryDim,
                output));

    private readonly ref struct Rotation(
        int heads, int tokens, int headDim, ReadOnlySpan<float> cosine, ReadOnlySpan<float> sine, int rotaryDim)
    {
        public readonly ReadOnlySpan<float> Cosine = cosine, Sine = sine;
        public readonly int Heads = heads, Tokens = tokens, HeadDim = headDim, RotaryDim = rotaryDim;
    }
}
