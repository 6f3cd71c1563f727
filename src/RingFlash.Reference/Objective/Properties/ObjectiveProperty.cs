using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Globalization;

namespace RingFlash.Reference.Objective.Properties;

/// <summary>What a property speaks about.</summary>
public enum PropertySubject
{
    /// <summary>A loss; the property runs against anybody's.</summary>
    Loss,

    /// <summary>The operators of this library.</summary>
    Operators,
}

/// <summary>What a check found on one case.</summary>
public enum PropertyVerdict
{
    /// <summary>It holds.</summary>
    Pass,

    /// <summary>It does not hold.</summary>
    Fail,

    /// <summary>The case, or what the loss offers, does not reach it.</summary>
    NotApplicable,
}

/// <summary>A numbered statement about IcePop losses with a check on a random case.</summary>
public sealed record ObjectiveProperty
{
    internal ObjectiveProperty(
        string number,
        PropertySubject subject,
        string statement,
        CaseKind cases,
        PropertyCheck check,
        params ImmutableArray<string> edges)
    {
        Number = number;
        Subject = subject;
        Statement = statement;
        Cases = cases;
        Check = check;
        Edges = edges;
    }

    /// <summary>P1 to P54.</summary>
    public string Number { get; }

    /// <summary>Whether it is about a loss or about this library's operators.</summary>
    public PropertySubject Subject { get; }

    /// <summary>The statement in one sentence.</summary>
    public string Statement { get; }

    /// <summary>What must have occurred among its cases before it counts as tried: the edges of the
    /// statement.</summary>
    public ImmutableArray<string> Edges { get; }

    internal CaseKind Cases { get; }

    internal PropertyCheck Check { get; }

    /// <summary>Number, subject and statement.</summary>
    /// <returns>One line.</returns>
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Number} ({Subject.ToString().ToLowerInvariant()}): {Statement}");
}

/// <summary>What a property's check found on one case.</summary>
/// <param name="Verdict">Whether it holds.</param>
/// <param name="Edges">The edges that the case had.</param>
/// <param name="Failure">One line about the shrunk case: what is wrong and with which numbers; null without a
/// failure.</param>
public sealed record PropertyFinding(PropertyVerdict Verdict, IReadOnlyCollection<string> Edges, string? Failure);

/// <summary>What many cases said about a property.</summary>
/// <param name="Property">The property.</param>
/// <param name="Passed">Cases on which it held.</param>
/// <param name="NotApplicable">Cases that did not reach it.</param>
/// <param name="Edges">In how many cases each edge occurred.</param>
/// <param name="FailingSeed">The seed of the first case that fails, or null.</param>
/// <param name="Failure">One line about that case, shrunk, or null.</param>
public sealed record PropertyReport(
    ObjectiveProperty Property,
    int Passed,
    int NotApplicable,
    IReadOnlyDictionary<string, int> Edges,
    ulong? FailingSeed,
    string? Failure)
{
    /// <summary>Fail on a counterexample, not applicable where no case reached it, else pass.</summary>
    public PropertyVerdict Verdict =>
        Failure is not null ? PropertyVerdict.Fail
        : Passed > 0 ? PropertyVerdict.Pass
        : PropertyVerdict.NotApplicable;

    /// <summary>The options of <c>ringflash icepop properties</c> that show the failing case again, or null.</summary>
    public string? Replay => FailingSeed is { } seed
        ? string.Create(CultureInfo.InvariantCulture, $"--only {Property.Number} --seed 0x{seed:x16} --count 1")
        : null;

    /// <summary>The failure in one line with its replay, or null.</summary>
    public string? Counterexample => Failure is null ? null : $"{Property} — {Failure}; replay: {Replay}";
}

/// <summary>Checks a property on a case: true when it holds, false when the case does not reach it.</summary>
/// <exception cref="PropertyFailure">It does not hold.</exception>
internal delegate bool PropertyCheck(PropertyProbe probe, PropertyCase sample);

/// <summary>A property that does not hold; caught by the suite.</summary>
internal sealed class PropertyFailure(string message) : Exception(message);
