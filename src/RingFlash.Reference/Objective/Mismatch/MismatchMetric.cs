using System;

namespace RingFlash.Reference.Objective.Mismatch;

/// <summary>How sure it is that a framework computes a metric by the formula given.</summary>
public enum FormulaBasis
{
    /// <summary>Defined by this project; no framework's word.</summary>
    Defined,

    /// <summary>Compared with what the framework's own function returned on stored cases.</summary>
    Run,

    /// <summary>Read in the framework's source, not run.</summary>
    Read,

    /// <summary>Inferred from its name or from a description; believed, not read.</summary>
    Inferred,
}

/// <summary>One metric under the name that a framework logs it by.</summary>
/// <param name="Framework">Who logs it.</param>
/// <param name="Name">Its name there.</param>
/// <param name="Value">Our value, float64; NaN where it is not defined.</param>
/// <param name="Formula">What is computed. Δ = log π_train − log π_infer, k = e^Δ, mean over tokens unless said
/// otherwise.</param>
/// <param name="Basis">How sure the formula is.</param>
/// <param name="Note">Mode, default, or where the framework differs in the last digits; may be empty.</param>
public sealed record MismatchMetric(
    string Framework, string Name, double Value, string Formula, FormulaBasis Basis, string Note = "");

/// <summary>What the metrics depend on besides the data.</summary>
/// <param name="Alpha">The lower end of the band, in [0, β].</param>
/// <param name="Beta">The upper end, above 0; ∞ for none.</param>
/// <param name="SequenceCap">The cap of TRL's <c>sequence_mask</c>.</param>
/// <param name="PositionBins">The most bins of the gap by position.</param>
public sealed record MismatchOptions(
    double Alpha = 0.5, double Beta = 5, double SequenceCap = 3, int PositionBins = 48)
{
    internal void Check()
    {
        if (!(Alpha >= 0) || !(Beta >= Alpha) || !(Beta > 0))
        {
            throw new ArgumentException($"a band needs 0 ≤ α ≤ β and β > 0; found {Alpha} … {Beta}");
        }

        if (!(SequenceCap > 0))
        {
            throw new ArgumentException($"a cap must be above 0; found {SequenceCap}");
        }

        ArgumentOutOfRangeException.ThrowIfLessThan(PositionBins, 1);
    }
}
