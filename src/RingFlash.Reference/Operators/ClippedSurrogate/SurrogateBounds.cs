using System;
using System.Globalization;

namespace RingFlash.Reference.Operators;

/// <summary>The clip of the policy ratio.</summary>
/// <param name="EpsilonLow">ε_lo ≥ 0: the ratio is limited from below by 1 − ε_lo where the advantage is
/// negative.</param>
/// <param name="EpsilonHigh">ε_hi ≥ 0: and from above by 1 + ε_hi where it is positive; +∞ on both means no
/// clip.</param>
/// <param name="DualClip">c > 1: with a negative advantage the surrogate is at least c·Â; +∞, the default, is
/// none.</param>
public readonly record struct SurrogateBounds(
    double EpsilonLow, double EpsilonHigh, double DualClip = double.PositiveInfinity)
{
    /// <summary>1 − ε_lo.</summary>
    public double Lowest => 1 - EpsilonLow;

    /// <summary>1 + ε_hi.</summary>
    public double Highest => 1 + EpsilonHigh;

    /// <summary>Refuses negative and NaN widths and a dual clip that is not above 1.</summary>
    public void Require()
    {
        if (!(EpsilonLow >= 0 && EpsilonHigh >= 0 && DualClip > 1))
        {
            throw new ArgumentException(string.Create(
                CultureInfo.InvariantCulture,
                $"The clip needs epsilon ≥ 0 and dual clip > 1; found {EpsilonLow}, {EpsilonHigh}, {DualClip}."));
        }
    }
}
