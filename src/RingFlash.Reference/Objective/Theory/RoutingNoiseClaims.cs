using System;
using System.Collections.Generic;
using System.Linq;

namespace RingFlash.Reference.Objective.Theory;

/// <summary>How a claim about a toy is tested.</summary>
public enum ClaimTest
{
    /// <summary>For every seed.</summary>
    EverySeed,

    /// <summary>On the average over the seeds, and for four seeds of five.</summary>
    Average,

    /// <summary>Not at all: a tendency, shown only.</summary>
    None,
}

/// <summary>How often a claim about <see cref="RoutingNoiseSimulation"/> held.</summary>
/// <param name="Text">The claim.</param>
/// <param name="Held">The seeds for which it held.</param>
/// <param name="Seeds">The seeds that were run.</param>
/// <param name="DesignHeld">For how many of ten seeds it held when the toy was designed, with another
/// generator.</param>
/// <param name="Test">How it is tested.</param>
public sealed record RoutingNoiseClaim(string Text, int Held, int Seeds, int DesignHeld, ClaimTest Test);

/// <summary>Runs <see cref="RoutingNoiseSimulation"/> for several seeds and counts which claims hold.</summary>
public sealed class RoutingNoiseClaims
{
    private const TheoryOperator Importance = TheoryOperator.ImportanceSampling;
    private const TheoryOperator Truncated = TheoryOperator.TruncatedImportanceSampling;

    /// <summary>The operators that are run.</summary>
    public static IReadOnlyList<TheoryOperator> Operators { get; } =
        [TheoryOperator.Uncorrected, Importance, Truncated, TheoryOperator.IcePop];

    private RoutingNoiseClaims(IReadOnlyList<IReadOnlyDictionary<TheoryOperator, RoutingNoiseRun>> runs)
    {
        Runs = runs;
        Claims =
        [
            Count("mean |Δ| grows, GRPO", 10, ClaimTest.EverySeed, run => Grew(run[TheoryOperator.Uncorrected])),
            Count("mean |Δ| grows, IcePop", 10, ClaimTest.EverySeed, run => Grew(run[TheoryOperator.IcePop])),
            Count("masked share rises", 10, ClaimTest.EverySeed, run => ShareRises(run[TheoryOperator.IcePop])),
            Count("masked tokens have higher entropy", 10, ClaimTest.Average, HigherEntropy),
            Count("KL: importance sampling > IcePop", 10, ClaimTest.Average, run => Kl(run, Importance)),
            Count("KL: GRPO > IcePop", 9, ClaimTest.None, run => Kl(run, TheoryOperator.Uncorrected)),
            Count("KL: TIS > IcePop", 7, ClaimTest.None, run => Kl(run, Truncated)),
            Count("max |Δ|: GRPO > IcePop", 9, ClaimTest.None, run => Largest(run, TheoryOperator.Uncorrected)),
            Count("max |Δ|: TIS > IcePop", 8, ClaimTest.None, run => Largest(run, Truncated)),
            Count("later positions worse at step 0", 7, ClaimTest.None, LaterWorse),
        ];
    }

    /// <summary>Per seed: the run of each operator.</summary>
    public IReadOnlyList<IReadOnlyDictionary<TheoryOperator, RoutingNoiseRun>> Runs { get; }

    /// <summary>The claims, those that are tested first.</summary>
    public IReadOnlyList<RoutingNoiseClaim> Claims { get; }

    /// <summary>Runs all operators for consecutive seeds.</summary>
    /// <param name="firstSeed">The first seed.</param>
    /// <param name="seeds">How many, at least 1.</param>
    /// <param name="steps">Updates per run.</param>
    /// <returns>Runs and counts.</returns>
    public static RoutingNoiseClaims Evaluate(ulong firstSeed, int seeds, int steps = RoutingNoiseSimulation.FullRun)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(seeds, 1);
        return new(
        [
            .. Enumerable.Range(0, seeds).Select(index => Operators.ToDictionary(
                kind => kind, kind => RoutingNoiseSimulation.Run(kind, firstSeed + (ulong)index, steps))),
        ]);
    }

    /// <summary>The mean of a measured number over the seeds, at the end of the runs.</summary>
    /// <param name="kind">The operator.</param>
    /// <param name="value">The number.</param>
    /// <returns>The mean.</returns>
    public double MeanAtEnd(TheoryOperator kind, Func<RoutingNoisePoint, double> value) =>
        Runs.Average(run => value(run[kind].End));

    private static bool Grew(RoutingNoiseRun run) => run.End.MeanLogRatio > run.Start.MeanLogRatio;

    private static bool ShareRises(RoutingNoiseRun run) => run.End.MaskedShare > run.Start.MaskedShare;

    private static bool Kl(IReadOnlyDictionary<TheoryOperator, RoutingNoiseRun> run, TheoryOperator kind) =>
        run[kind].End.Divergence > run[TheoryOperator.IcePop].End.Divergence;

    private static bool Largest(IReadOnlyDictionary<TheoryOperator, RoutingNoiseRun> run, TheoryOperator kind) =>
        run[kind].End.LargestLogRatio > run[TheoryOperator.IcePop].End.LargestLogRatio;

    private static bool HigherEntropy(IReadOnlyDictionary<TheoryOperator, RoutingNoiseRun> run) =>
        run[TheoryOperator.IcePop].End.MaskedEntropy > run[TheoryOperator.IcePop].End.Entropy;

    private static bool LaterWorse(IReadOnlyDictionary<TheoryOperator, RoutingNoiseRun> run)
    {
        IReadOnlyList<double> gaps = run[TheoryOperator.IcePop].GapByPosition;
        int half = gaps.Count / 2;
        return gaps.Skip(half).Average() > gaps.Take(half).Average();
    }

    private RoutingNoiseClaim Count(
        string text,
        int designHeld,
        ClaimTest test,
        Func<IReadOnlyDictionary<TheoryOperator, RoutingNoiseRun>, bool> holds) =>
        new(text, Runs.Count(holds), Runs.Count, designHeld, test);
}
