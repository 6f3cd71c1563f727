using System;

namespace RingFlash.Reference.Comparison;

/// <summary>
/// Rounding points of real backends that are not those of the published code and no mistakes either; the numbers are
/// those of the list of known differences in this folder's page.
/// </summary>
[Flags]
internal enum LegalRounding
{
    /// <summary>As published.</summary>
    None = 0,

    /// <summary>Row 9: the norm reads the residual sum before it is rounded.</summary>
    UnroundedResidual = 1,

    /// <summary>Row 9: the norm rounds once, after the weight.</summary>
    NormRoundedOnce = 32,

    /// <summary>Row 9: both.</summary>
    FusedNorm = UnroundedResidual | NormRoundedOnce,

    /// <summary>Row 10: cosines and sines stay float32, and a rotated value is rounded once.</summary>
    Float32Rotary = 2,

    /// <summary>Scores and quotients stay float32; the exponentials are rounded before the product with the values,
    /// the denominator divides last.</summary>
    FusedAttention = 4,

    /// <summary>Rows 7 and 21: a weighted expert output is stored rounded before the sum, the factor multiplies the
    /// rounded sum.</summary>
    RoundedExperts = 8,

    /// <summary>silu(gate)·up is rounded once.</summary>
    FusedActivation = 16,

    /// <summary>All of these, as vLLM's and SGLang's kernels have them.</summary>
    Kernels = FusedNorm | Float32Rotary | FusedAttention | RoundedExperts | FusedActivation,
}
