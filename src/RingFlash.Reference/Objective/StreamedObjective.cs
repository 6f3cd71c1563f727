using System;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Objective;

/// <summary>
/// Value and gradient of one row in float32 without per-token results: tokens go through the operators in blocks that
/// stay in the first-level cache, and only the gradient is written. The same operations in the same order as
/// <see cref="ObjectiveRow"/>, so the same bits.
/// </summary>
internal ref struct StreamedObjective
{
    /// <summary>A multiple of the 32 stripes of a sum, so that blocks do not show in it.</summary>
    private const int Block = 1024;

    // In tokens: 4 KiB of each stream.
    private const int PrefetchDistance = 1024;

    private readonly RolloutArrays<float> batch;
    private readonly PolicyObjectiveOptions options;
    private readonly float[] weights;
    private readonly float[] ratios;
    private readonly float[] contributions;
    private readonly float[] scratch;
    private readonly TokenDecision[] decisions;
    private readonly byte[] clipped;
    private readonly float[] stripes = new float[Summation.StripeCount];
    private readonly float[] divergenceStripes = new float[Summation.StripeCount];

    /// <summary>One worker's scratch.</summary>
    public StreamedObjective(RolloutArrays<float> batch, PolicyObjectiveOptions options)
    {
        this.batch = batch;
        this.options = options;

        // A correction that looks at whole responses needs a whole response.
        bool byToken = options.Correction is IcePopCorrection or NoCorrection;
        BlockLength = byToken ? Math.Min(Block, batch.ResponseLength) : batch.ResponseLength;
        weights = new float[BlockLength];
        ratios = new float[BlockLength];
        contributions = new float[BlockLength];
        scratch = new float[BlockLength];
        decisions = new TokenDecision[BlockLength];
        clipped = new byte[BlockLength];
    }

    private int BlockLength { get; }

    /// <summary>Whether the options have a streamed form; the others take the full evaluation.</summary>
    public static bool Supports(PolicyObjectiveOptions options) =>
        options.Policy == PolicyForm.ClippedSurrogate
        && options.DenominatorTokens == DenominatorTokens.Original
        && !options.KullbackLeiblerInsideWeight
        && double.IsPositiveInfinity(options.PolicyLogRatioClamp);

    /// <summary>Writes the row's gradient and gives its sums of contributions and of divergences.</summary>
    public readonly (float Policy, float Divergence) Row<TArithmetic>(int row, float coefficient, Span<float> gradient)
        where TArithmetic : struct, IRowArithmetic<float>
    {
        int length = batch.ResponseLength;
        stripes.AsSpan().Clear();
        divergenceStripes.AsSpan().Clear();
        int first = 0;
        if (typeof(TArithmetic) == typeof(Float32Arithmetic<Vector512Choice>) && FusedIcePopRow.Supports(options))
        {
            first = Fused(row, coefficient, gradient);
        }

        for (; first < length; first += BlockLength)
        {
            int count = Math.Min(BlockLength, length - first);
            BlockOf<TArithmetic>(row, (row * length) + first, count, coefficient, gradient.Slice(first, count));
        }

        return (Summation.Halve(stripes), Summation.Halve(divergenceStripes));
    }

    /// <summary>All whole groups of 32 tokens of the published objective; the number of tokens done.</summary>
    private readonly int Fused(int row, float coefficient, Span<float> gradient)
    {
        FusedIcePopRow fused = new(batch, (IcePopCorrection)options.Correction, options.Bounds, row, coefficient);
        Vector512<float> lower = Vector512<float>.Zero, upper = Vector512<float>.Zero;
        int start = row * batch.ResponseLength, t = 0;
        ref float current = ref batch.Current.AsSpan(start, gradient.Length).GetPinnableReference();
        ref float old = ref batch.Old.AsSpan(start, gradient.Length).GetPinnableReference();
        ref float inference = ref batch.Inference.AsSpan(start, gradient.Length).GetPinnableReference();
        ref byte mask = ref batch.ResponseMask.AsSpan(start, gradient.Length).GetPinnableReference();
        ref float output = ref gradient.GetPinnableReference();
        for (; t + Summation.StripeCount <= gradient.Length; t += Summation.StripeCount)
        {
            Prefetch(ref current, t + PrefetchDistance);
            Prefetch(ref old, t + PrefetchDistance);
            Prefetch(ref inference, t + PrefetchDistance);
            Prefetch(ref output, t + PrefetchDistance);
            lower += fused.Sixteen(
                ref Unsafe.Add(ref current, t),
                ref Unsafe.Add(ref old, t),
                ref Unsafe.Add(ref inference, t),
                ref Unsafe.Add(ref mask, t),
                ref Unsafe.Add(ref output, t));
            upper += fused.Sixteen(
                ref Unsafe.Add(ref current, t + 16),
                ref Unsafe.Add(ref old, t + 16),
                ref Unsafe.Add(ref inference, t + 16),
                ref Unsafe.Add(ref mask, t + 16),
                ref Unsafe.Add(ref output, t + 16));
        }

        lower.CopyTo(stripes);
        upper.CopyTo(stripes.AsSpan(16));
        return t;
    }

    /// <summary>
    /// Two lines of a stream that will be needed some thirty steps on: the arithmetic of a step is too long for the
    /// processor to look that far ahead itself. Past the end of the array nothing is read; a prefetch never faults.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static unsafe void Prefetch(ref float stream, int token)
    {
        if (Sse.IsSupported)
        {
            float* line = (float*)Unsafe.AsPointer(ref stream) + token;
            Sse.Prefetch0(line);
            Sse.Prefetch0(line + 16);
        }
    }

    /// <summary>Adds values to the stripes of a sum that goes on.</summary>
    private static void Accumulate(ReadOnlySpan<float> values, Span<float> stripes)
    {
        int i = 0;
        Vector512<float> lower = Vector512.Create<float>(stripes), upper = Vector512.Create<float>(stripes[16..]);
        for (; i + Summation.StripeCount <= values.Length; i += Summation.StripeCount)
        {
            lower += Vector512.Create(values[i..]);
            upper += Vector512.Create(values[(i + 16)..]);
        }

        lower.CopyTo(stripes);
        upper.CopyTo(stripes[16..]);
        for (; i < values.Length; i++)
        {
            stripes[i % Summation.StripeCount] += values[i];
        }
    }

    private readonly void BlockOf<TArithmetic>(
        int row, int start, int count, float coefficient, Span<float> gradient)
        where TArithmetic : struct, IRowArithmetic<float>
    {
        ReadOnlySpan<float> current = batch.Current.AsSpan(start, count), old = batch.Old.AsSpan(start, count);
        ReadOnlySpan<byte> mask = batch.ResponseMask.AsSpan(start, count);
        Span<float> values = contributions.AsSpan(0, count);
        CorrectionRow<float> correction = new()
        {
            Training = options.Numerator == RatioNumerator.CurrentWeights ? current : old,
            Inference = batch.Inference.AsSpan(start, count),
            ResponseMask = mask,
            Advantage = batch.Advantages[row],
            LogRatios = ratios.AsSpan(0, count), // scratch; overwritten by the policy ratio
            Ratios = values, // scratch; overwritten by the contributions
            Weights = weights.AsSpan(0, count),
            Decisions = decisions.AsSpan(0, count),
            Decision = options.Decision,
        };
        correction.Weigh<TArithmetic>(options.Correction);
        TArithmetic.Ratio(current, old, options.PolicyLogRatioClamp, ratios.AsSpan(0, count));
        TArithmetic.Surrogate(
            ratios.AsSpan(0, count),
            weights.AsSpan(0, count),
            decisions.AsSpan(0, count),
            batch.Advantages[row],
            options.Bounds,
            values,
            clipped.AsSpan(0, count));
        Accumulate(values, stripes);
        ClippedSurrogate.Backward<float>(values, clipped.AsSpan(0, count), gradient);
        Scale(gradient, coefficient);
        if (options.KullbackLeiblerCoefficient != 0)
        {
            Divergence<TArithmetic>(start, count, coefficient, gradient);
        }
    }

    private readonly void Divergence<TArithmetic>(int start, int count, float coefficient, Span<float> gradient)
        where TArithmetic : struct, IRowArithmetic<float>
    {
        ReadOnlySpan<byte> mask = batch.ResponseMask.AsSpan(start, count);
        Span<float> values = contributions.AsSpan(0, count), derivatives = scratch.AsSpan(0, count);
        TArithmetic.Divergence(
            options.KullbackLeibler,
            batch.Current.AsSpan(start, count),
            batch.Reference.AsSpan(start, count),
            values,
            derivatives);
        float share = (float)options.KullbackLeiblerCoefficient * coefficient;
        for (int t = 0; t < count; t++)
        {
            bool valid = mask[t] != 0;
            values[t] = valid ? values[t] : 0f;
            gradient[t] += valid ? share * derivatives[t] : 0f;
        }

        Accumulate(values, divergenceStripes);
    }

    private static void Scale(Span<float> values, float factor)
    {
        int t = 0;
        Vector512<float> factors = Vector512.Create(factor);
        for (; t + 16 <= values.Length; t += 16)
        {
            (Vector512.Create<float>(values[t..]) * factors).CopyTo(values[t..]);
        }

        for (; t < values.Length; t++)
        {
            values[t] *= factor;
        }
    }
}
