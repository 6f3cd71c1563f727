using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Comparison;
using RingFlash.Reference.Model;

namespace RingFlash.Reference.Diagnosis;

/// <summary>What a diagnosis came to.</summary>
public enum DiagnosisOutcome
{
    /// <summary>Nothing is outside of what legal ways to compute do: there is nothing to explain.</summary>
    NoMistake,

    /// <summary>Known mistakes explain everything that is wrong.</summary>
    Explained,

    /// <summary>Known mistakes explain what is wrong first, but not all of it.</summary>
    PartlyExplained,

    /// <summary>No known mistake, and no two of them, explain what is wrong first.</summary>
    NotExplained,

    /// <summary>Nothing was compared that would tell a right program from a wrong one.</summary>
    NotChecked,
}

/// <summary>A mistake with the way in which it is made.</summary>
/// <param name="Mistake">The mistake.</param>
/// <param name="Value">What tells the way from the others; may be empty.</param>
public sealed record NamedMistake(Mistake Mistake, string Value)
{
    /// <summary>Id and value, as <c>capture --mistake</c> takes it.</summary>
    public string Name => Value.Length == 0 ? Mistake.Id : $"{Mistake.Id}:{Value}";

    /// <summary>The variation that makes it.</summary>
    /// <returns>To be applied to a model's parts.</returns>
    public Func<ModelParts, ModelParts> Make() => Mistake.Variants.First(way => way.Value == Value).Apply;

    /// <summary>In plain words.</summary>
    public string Words => Value.Length == 0 ? Mistake.Sentence : $"{Mistake.Sentence} ({Value})";
}

/// <summary>Mistakes that explain wrong taps.</summary>
public sealed record DiagnosisFinding
{
    /// <summary>What was made: one mistake, or two in one block.</summary>
    public required IReadOnlyList<NamedMistake> Mistakes { get; init; }

    /// <summary>Others that explain the same taps as well: these taps cannot tell them apart.</summary>
    public IReadOnlyList<IReadOnlyList<NamedMistake>> NotToldApart { get; init; } = [];

    /// <summary>Others that are within the budget too, but further away.</summary>
    public IReadOnlyList<IReadOnlyList<NamedMistake>> LessLikely { get; init; } = [];

    /// <summary>Where it was found: layers and places outside of them, in order.</summary>
    public required string Where { get; init; }

    /// <summary>Layers that show that it was not made there; empty when there are none.</summary>
    public string NotMadeIn { get; init; } = string.Empty;

    /// <summary>The wrong taps that it explains.</summary>
    public required IReadOnlyList<string> Explains { get; init; }

    /// <summary>The largest error of these against the twin, in units of the budget.</summary>
    public required double OverBudget { get; init; }

    /// <summary>The largest error of these against the reference, in units of the budget.</summary>
    public required double WithoutIt { get; init; }
}

/// <summary>A twin that does not fit but comes nearer than the reference: a hint, no finding.</summary>
/// <param name="Mistakes">What was made.</param>
/// <param name="Distance">The relative L2 error that is left.</param>
/// <param name="Reference">The relative L2 error against the reference.</param>
public sealed record DiagnosisHint(IReadOnlyList<NamedMistake> Mistakes, double Distance, double Reference);

/// <summary>Everything that a diagnosis found.</summary>
public sealed record DiagnosisReport
{
    /// <summary>What it came to.</summary>
    public required DiagnosisOutcome Outcome { get; init; }

    /// <summary>The verdict in one sentence.</summary>
    public required string Headline { get; init; }

    /// <summary>The comparison that it starts from.</summary>
    public required ComparisonReport Comparison { get; init; }

    /// <summary>The mistakes, in the order in which they show.</summary>
    public IReadOnlyList<DiagnosisFinding> Findings { get; init; } = [];

    /// <summary>Wrong taps that nothing explains, in the order of computation.</summary>
    public IReadOnlyList<string> NotExplained { get; init; } = [];

    /// <summary>Twins that come nearest to the first of them.</summary>
    public IReadOnlyList<DiagnosisHint> Hints { get; init; } = [];

    /// <summary>Mistakes that it does not make: their twins were run and are outside of the budget.</summary>
    public IReadOnlyList<string> Excluded { get; init; } = [];

    /// <summary>
    /// Mistakes, or single ways to make them, that could neither be found nor excluded: with this model and these taps
    /// they change nothing that is larger than noise.
    /// </summary>
    public IReadOnlyList<string> NotShown { get; init; } = [];

    /// <summary>Mistakes that were not looked at: they act where nothing was compared, or time ran out.</summary>
    public IReadOnlyList<string> NotRun { get; init; } = [];

    /// <summary>How many twins were run.</summary>
    public int TwinsRun { get; init; }

    /// <summary>Of those, twins with two mistakes.</summary>
    public int PairsRun { get; init; }

    /// <summary>What the reader should know beside.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>The time of the whole.</summary>
    public TimeSpan Elapsed { get; init; }

    /// <summary>0 when there is no mistake, else 1.</summary>
    public int ExitCode => Outcome == DiagnosisOutcome.NoMistake ? 0 : 1;
}
