namespace RingFlash.Reference.Operators;

/// <summary>The three estimators of a Kullback–Leibler divergence from one sample, d = current − reference.</summary>
public enum KullbackLeiblerKind
{
    /// <summary>d. Unbiased, of either sign.</summary>
    K1,

    /// <summary>d²/2.</summary>
    K2,

    /// <summary>e^−d + d − 1. Unbiased and never negative.</summary>
    K3,
}
