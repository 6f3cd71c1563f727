using System;
using System.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Objective;

/// <summary>From weights and policy ratios to contributions and gradients of one response.</summary>
internal readonly ref struct PolicyRow<T>
    where T : struct, IBinaryFloatingPointIeee754<T>
{
    public required ReadOnlySpan<T> Current { get; init; }

    public required ReadOnlySpan<T> Old { get; init; }

    public required ReadOnlySpan<byte> ResponseMask { get; init; }

    public required Span<T> Weights { get; init; }

    public required ReadOnlySpan<T> LogRatios { get; init; }

    public required ReadOnlySpan<TokenDecision> Decisions { get; init; }

    /// <summary>r everywhere on entry; 1 where not kept on return.</summary>
    public required Span<T> Ratios { get; init; }

    public required Span<T> Contributions { get; init; }

    public required Span<T> Gradients { get; init; }

    public required Span<byte> Clipped { get; init; }

    public required T Advantage { get; init; }

    public void Apply<TArithmetic>(PolicyObjectiveOptions options)
        where TArithmetic : struct, IRowArithmetic<T>
    {
        switch (options.Policy)
        {
            case PolicyForm.ClippedSurrogate:
                TArithmetic.Surrogate(Ratios, Weights, Decisions, Advantage, options.Bounds, Contributions, Clipped);
                ClippedSurrogate.Backward<T>(Contributions, Clipped, Gradients);
                StopAtClamp(options);
                break;
            case PolicyForm.SequenceSurrogate:
                Sequence<TArithmetic>(options);
                break;
            default:
                Products(options);
                break;
        }

        Finish();
    }

    private void StopAtClamp(PolicyObjectiveOptions options)
    {
        if (double.IsPositiveInfinity(options.PolicyLogRatioClamp))
        {
            return;
        }

        T clamp = T.CreateSaturating(options.PolicyLogRatioClamp);
        for (int t = 0; t < Current.Length; t++)
        {
            if (T.Abs(Current[t] - Old[t]) > clamp)
            {
                Gradients[t] = T.Zero; // the ratio no longer moves with the policy
            }
        }
    }

    private void Sequence<TArithmetic>(PolicyObjectiveOptions options)
        where TArithmetic : struct, IRowArithmetic<T>
    {
        int count = 0;
        for (int t = 0; t < Current.Length; t++)
        {
            bool valid = ResponseMask[t] != 0;
            Gradients[t] = valid ? Current[t] - Old[t] : T.Zero; // scratch
            count += valid ? 1 : 0;
        }

        T tokens = T.CreateChecked(Math.Max(count, 1));
        Ratios.Fill(TArithmetic.Exp(TArithmetic.Sum(Gradients) / tokens));
        TArithmetic.Surrogate(Ratios, Weights, Decisions, Advantage, options.Bounds, Contributions, Clipped);
        ClippedSurrogate.Backward<T>(Contributions, Clipped, Gradients);

        // Every response token moves the one ratio by 1/n of itself, and with it all contributions of the row.
        T shared = TArithmetic.Sum(Gradients) / tokens;
        for (int t = 0; t < Current.Length; t++)
        {
            Gradients[t] = ResponseMask[t] != 0 ? shared : T.Zero;
        }
    }

    private void Products(PolicyObjectiveOptions options)
    {
        T lowest = T.CreateSaturating(options.Bounds.Lowest), highest = T.CreateSaturating(options.Bounds.Highest);
        bool likelihood = options.Policy != PolicyForm.LiveRatio;
        for (int t = 0; t < Current.Length; t++)
        {
            Contributions[t] = Gradients[t] = T.Zero;
            Clipped[t] = 0;
            if (Decisions[t] != TokenDecision.Kept)
            {
                continue;
            }

            T factor = Advantage;
            if (options.Policy == PolicyForm.ClippedWeight)
            {
                T ratio = Ratios[t];
                Clipped[t] = ratio < lowest || ratio > highest ? (byte)1 : (byte)0;
                factor *= ratio < lowest ? lowest : ratio > highest ? highest : ratio;
            }

            T weighted = factor * -Weights[t];
            bool zero = Advantage == T.Zero && !T.IsNaN(Current[t]);
            Gradients[t] = zero ? T.Zero : weighted;
            Contributions[t] = zero ? T.Zero : likelihood ? weighted * Current[t] : weighted;

            // A limited weight no longer follows the ratio; a weight is limited exactly where it differs from e^Δ.
            if (!likelihood && !Follows(t))
            {
                Gradients[t] = T.Zero;
            }
        }
    }

    private bool Follows(int t)
    {
        double ratio = Math.Exp(double.CreateSaturating(LogRatios[t]));
        double weight = double.CreateSaturating(Weights[t]);
        double unit = typeof(T) == typeof(float) ? 1e-6 : 1e-14;
        double tolerance = unit * (2 + Math.Abs(double.CreateSaturating(LogRatios[t])));
        return !(Math.Abs(weight - ratio) > tolerance * ratio);
    }

    private void Finish()
    {
        for (int t = 0; t < Current.Length; t++)
        {
            if (Decisions[t] != TokenDecision.Kept)
            {
                Ratios[t] = T.One;
                Clipped[t] = 0;
            }
        }
    }
}
