namespace RingFlash.Reference.Comparison;

/// <summary>One weight as the candidate loaded it, against the checkpoint's.</summary>
/// <param name="Name">The checkpoint's name.</param>
/// <param name="Source">Where the candidate has it.</param>
/// <param name="State">What it is.</param>
/// <param name="Norm">The candidate's Euclidean norm, in float64.</param>
/// <param name="ReferenceNorm">The checkpoint's.</param>
/// <param name="Sha256">Of the candidate's values as float32, in the checkpoint's order; lower-case.</param>
/// <param name="ReferenceSha256">Of the checkpoint's.</param>
/// <param name="FirstValues">The first values of the candidate and of the checkpoint.</param>
/// <param name="RelativeError">The Euclidean norm of the difference over the checkpoint's; NaN for other axes.</param>
public sealed record WeightFinding(
    string Name,
    string Source,
    WeightState State,
    double Norm,
    double ReferenceNorm,
    string Sha256,
    string ReferenceSha256,
    string FirstValues,
    double RelativeError);

/// <summary>What a weight of a candidate is.</summary>
public enum WeightState
{
    /// <summary>Equal, bit for bit as float32.</summary>
    Equal,

    /// <summary>The checkpoint's values, each rounded to bfloat16.</summary>
    RoundedToBFloat16,

    /// <summary>The checkpoint's values within what e4m3 with scales does to them.</summary>
    RoundedToFloat8,

    /// <summary>Stored [inputs, outputs] where the checkpoint has [outputs, inputs].</summary>
    Transposed,

    /// <summary>Of other axes.</summary>
    OtherShape,

    /// <summary>Other values.</summary>
    Other,

    /// <summary>Not in the dump, though the dump holds its like of other layers.</summary>
    Missing,
}
