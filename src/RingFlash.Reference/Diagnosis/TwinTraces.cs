using System;
using System.Linq;
using RingFlash.Reference.Comparison;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Diagnosis;

/// <summary>Ends a run when it has shown what was wanted.</summary>
internal sealed class TapReachedException : Exception
{
}

/// <summary>Passes on what it is shown, up to one tap.</summary>
internal sealed class StoppingTrace(ForwardTrace<float> inner, string? last) : ForwardTrace<float>
{
    /// <inheritdoc/>
    public override bool Wants(string name) => inner.Wants(name);

    /// <inheritdoc/>
    public override void Tap(string name, HostTensor<float> tensor)
    {
        inner.Tap(name, tensor);
        Stop(name);
    }

    /// <inheritdoc/>
    public override void TapDecision(string name, RouterDecision<float> decision)
    {
        inner.TapDecision(name, decision);
        Stop($"{name}.topk_idx");
    }

    private void Stop(string name)
    {
        if (name == last)
        {
            throw new TapReachedException();
        }
    }
}

/// <summary>How far a tap is from a twin, relative.</summary>
/// <param name="Full">All tokens.</param>
/// <param name="Trimmed">Without the worst of eight: near ties of the router.</param>
internal readonly record struct ScreeningError(double Full, double Trimmed);

/// <summary>Measures one tap, and ends the run there.</summary>
internal sealed class ScreeningTrace(ComparisonReference reference, Candidate candidate, string wanted)
    : ForwardTrace<float>
{
    /// <summary>Of eight tokens, so many may be far off and are left out: near ties of the router.</summary>
    private const int OneOf = 8;

    /// <summary>The distance.</summary>
    public ScreeningError Error { get; private set; } =
        new(double.PositiveInfinity, double.PositiveInfinity);

    /// <inheritdoc/>
    public override bool Wants(string name) => name == wanted;

    /// <inheritdoc/>
    public override void Tap(string name, HostTensor<float> tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        if (name != wanted)
        {
            return;
        }

        HostTensor<float> theirs = new(tensor.Shape);
        tensor.Span.CopyTo(theirs.Span);
        TapShape.ReadInto(candidate.Taps[name], theirs, reference.Input.Tokens);
        TokenMap map = new(tensor.Shape.ToArray(), reference.Input.Batch, reference.Input.Tokens);
        double[] errors = TokenErrors.Between(theirs.Span, tensor.Span, map).Squared;
        double[] norms = TokenErrors.Squares(theirs.Span, map);
        int[] kept = [.. Enumerable.Range(0, errors.Length)
            .OrderBy(token => errors[token] / norms[token])
            .Take(errors.Length - (errors.Length / OneOf))];
        Error = new ScreeningError(
            Relative(errors.Sum(), norms.Sum()),
            Relative(kept.Sum(token => errors[token]), kept.Sum(token => norms[token])));
        throw new TapReachedException();
    }

    /// <inheritdoc/>
    public override void TapDecision(string name, RouterDecision<float> decision)
    {
        if ($"{name}.topk_idx" != wanted)
        {
            return;
        }

        RouterShape shape = RouterChoice.ShapeOf(reference.Configuration) with { TopK = decision.TopK };
        int[] theirs = RouterChoice.Read(candidate.Taps[wanted], decision.TopKWeights.Rows, shape);
        int tokens = decision.TopKWeights.Rows, wrong = 0;
        for (int token = 0; token < tokens; token++)
        {
            ReadOnlySpan<int> mine = theirs.AsSpan(token * shape.TopK, shape.TopK);
            wrong += RouterChoice.SameSet(decision.TopKIndices.AsSpan(token * shape.TopK, shape.TopK), mine) ? 0 : 1;
        }

        Error = new ScreeningError((double)wrong / tokens, (double)wrong / tokens);
        throw new TapReachedException();
    }

    private static double Relative(double squaredError, double squaredNorm) =>
        squaredError == 0 ? 0
        : double.IsNaN(squaredError) ? double.PositiveInfinity
        : Math.Sqrt(squaredError / squaredNorm);
}
