using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Verification;

namespace RingFlash.Cli.ServerCheck;

/// <summary>What a check found, as far as it came.</summary>
internal sealed class ServerCheckReport
{
    /// <summary>The server.</summary>
    public required string Address { get; init; }

    /// <summary>The model, as it was typed.</summary>
    public required string Model { get; init; }

    /// <summary>The declared precision.</summary>
    public required string Precision { get; init; }

    /// <summary>Shows tokens.</summary>
    public required TokenNames Names { get; init; }

    /// <summary>What was odd.</summary>
    public OddityList Oddities { get; } = new();

    /// <summary>What the server says about itself; null where it came to nothing.</summary>
    public ServerIdentity? Identity { get; set; }

    /// <summary>The prompts.</summary>
    public IReadOnlyList<IReadOnlyList<int>> Prompts { get; set; } = [];

    /// <summary>Requests sent.</summary>
    public int Requests { get; set; }

    /// <summary>The noise; null where our model was not run.</summary>
    public NoiseBand? Band { get; set; }

    /// <summary>The log-probabilities against the nearest run; null where nothing was compared.</summary>
    public ScoreComparison? Scores { get; set; }

    /// <summary>The same against every run.</summary>
    public IReadOnlyList<ScoreComparison> AllScores { get; set; } = [];

    /// <summary>The tokens at temperature 0; null where they were not compared.</summary>
    public GreedyComparison? Greedy { get; set; }

    /// <summary>The routed experts; null where they were not compared.</summary>
    public ExpertComparison? Experts { get; set; }

    /// <summary>The server against itself.</summary>
    public IReadOnlyList<InvarianceRow> Invariance { get; set; } = [];

    /// <summary>What jumps behind near ties allow beyond the noise; 0 where our runs showed none.</summary>
    public double Jumps { get; set; }

    /// <summary>What wrong numbers are instead; may be empty.</summary>
    public string Hint { get; set; } = string.Empty;

    /// <summary>Numbers compared.</summary>
    public int Compared => Scores?.All.Count ?? 0;

    /// <summary>What ended the check; null where nothing did.</summary>
    public Oddity? End => Oddities.Found.FirstOrDefault(oddity => oddity.Kind.Weight == OddityWeight.End);

    /// <summary>Reasons to call the server wrong, the gravest first.</summary>
    public IReadOnlyList<string> Failures => [.. Reasons()];

    /// <summary>The verdict.</summary>
    public Verdict Verdict =>
        End is Oddity end && end.Kind != OddityKind.IdsDiffer ? Verdict.NotChecked
        : Failures.Count > 0 ? Verdict.Failed
        : Compared == 0 ? Verdict.NotChecked
        : Verdict.Passed;

    /// <summary>The exit code.</summary>
    public int ExitCode =>
        End?.Kind.ExitCode ?? (Verdict == Verdict.Passed ? ExitCodes.WithinBudget : ExitCodes.OverBudget);

    /// <summary>The most that a server may differ from itself.</summary>
    /// <param name="row">The comparison.</param>
    /// <returns>
    /// The noise, and jumps too unless the server told the same experts both times; infinity where it chose others and
    /// nobody knows how far that reaches.
    /// </returns>
    public double Allowed(InvarianceRow row) =>
        row.OtherExperts > 0 && Jumps == 0 ? double.PositiveInfinity
        : row.KnowsExperts && row.OtherExperts == 0 ? (Band!.Clean ?? Band.Any).Maximum
        : Math.Max(Band!.Any.Maximum, Jumps);

    /// <summary>Whether a server differs from itself by more than that.</summary>
    /// <param name="row">The comparison.</param>
    /// <returns>The answer.</returns>
    public bool IsBeyondNoise(InvarianceRow row) => Band is not null && row.Differences.Maximum > Allowed(row);

    private IEnumerable<string> Reasons()
    {
        foreach (Oddity oddity in Oddities.Found.Where(
            oddity => oddity.Kind.Weight == OddityWeight.Fault || oddity.Kind == OddityKind.IdsDiffer))
        {
            yield return $"{oddity.Kind.Name}: {oddity.Place}: {oddity.Detail}: {oddity.Kind.Consequence}";
        }

        if (Scores is not null)
        {
            foreach (string reason in ServerVerdict.OfScores(Scores, Precision, Names, Hint))
            {
                yield return reason;
            }
        }

        if (Greedy is { Wrong: > 0 })
        {
            yield return $"{Greedy.Wrong} of {Greedy.Tokens} tokens at temperature 0 are not the most likely ones: "
                + Greedy.FirstWrong;
        }

        if (Experts is { Wrong: > 0 })
        {
            yield return $"{Experts.Wrong} of {Experts.Compared} sets of experts are wrong: {Experts.FirstWrong}";
        }

        foreach (InvarianceRow row in Invariance.Where(IsBeyondNoise))
        {
            yield return $"the same prompt {row.Name} gets other numbers, by up to "
                + $"{Reports.NumberText.Error(row.Differences.Maximum)} where the noise is "
                + Reports.NumberText.Error(Allowed(row));
        }
    }
}
