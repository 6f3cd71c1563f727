using System;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Verification;

/// <summary>
/// How far two correct implementations of the published arithmetic may be apart. Derived, not tuned: the derivation is
/// here, the measured noise of the published code beside it.
/// </summary>
/// <remarks>
/// <para><b>Whole taps.</b> A rounding is an independent relative error of standard deviation about u/√3 (u = 2⁻²⁴ for
/// float32). A chain of n additions of random sign has an error of u·√(n/6) relative to the result; BLAS libraries and
/// our own order keep chains to about 128 … 384 terms, so one product of K inputs counts as 1 + K/512 elementary
/// operations of √6/√3 ≈ 1.4·u each. Errors of successive operators are independent and the residual stream dilutes as
/// much as it adds, so they add in quadrature: the L2 error after operations worth N is about 1.4·u·√N for each of the
/// two implementations. The budget is <b>6·u·√N</b>: three standard deviations of their difference. The largest element
/// of a tap, relative to its largest value, may be three times that. Measured: the published float32 code is 1.0 …
/// 1.6·u·√N from float64 over the cases in golden/ (golden/README.md), at 1 layer as at 33.</para>
/// <para><b>Single elements.</b> Where a tap is one operator away from the reference's own values, every element is
/// held to units of u·gauge, the gauge being the same computation on absolute values. Roundings of random sign in a
/// chain of n stay within λ·√n·u·gauge but for a fraction exp(−λ²/2) (Higham and Mary, SIAM J. Sci. Comput. 41, 2019,
/// theorem 2.4); λ = 4 for each side, our chain being 128 + K/128 long and the reference's at most K.</para>
/// <para><b>bfloat16.</b> Both sides round at the same points, so results are equal except where two float32 sums
/// straddle a rounding border; an element then moves by one bfloat16 step, and what follows by as much. A tap may be
/// two steps apart at its largest value and 2.5·u in L2 (u = 2⁻⁸; 0.0098); one operator from the reference, an element
/// may be one step per rounding point apart.</para>
/// </remarks>
internal static class ErrorBudget
{
    private const double L2Factor = 6;
    private const double LargestElementFactor = 3;
    private const double Lambda = 4;

    /// <summary>Unit roundoff of float32.</summary>
    public const double Float32Roundoff = 1.0 / (1 << 24);

    /// <summary>Unit roundoff of bfloat16.</summary>
    public const double BFloat16Roundoff = 1.0 / (1 << 8);

    /// <summary>What a product of K inputs counts as.</summary>
    /// <param name="inputs">K.</param>
    /// <returns>Elementary operations.</returns>
    public static double ProductWeight(int inputs) => 1 + (inputs / 512.0);

    /// <summary>The L2 budget in float32.</summary>
    /// <param name="operations">N.</param>
    /// <returns>Relative.</returns>
    public static double L2(double operations) => L2Factor * Float32Roundoff * Math.Sqrt(operations);

    /// <summary>The budget for the largest element in float32.</summary>
    /// <param name="operations">N.</param>
    /// <returns>Relative to the largest value.</returns>
    public static double LargestElement(double operations) => LargestElementFactor * L2(operations);

    /// <summary>The L2 budget in bfloat16.</summary>
    public static double BFloat16L2 => 2.5 * BFloat16Roundoff;

    /// <summary>Two bfloat16 steps at the largest value of a tap, relative to that value.</summary>
    /// <param name="largest">max |golden|.</param>
    /// <returns>Relative.</returns>
    public static double BFloat16LargestElement(double largest)
    {
        if (largest == 0 || !double.IsFinite(largest))
        {
            return 0;
        }

        double step = Math.ScaleB(1, Math.ILogB(largest) - 7);
        return 2 * step / largest;
    }

    /// <summary>How close two logits must be for either to come first: each may be off by the budget.</summary>
    /// <param name="operations">N.</param>
    /// <param name="logits">[vocabulary], the values that are ranked.</param>
    /// <param name="underBFloat16">Whether the case ran in bfloat16.</param>
    /// <returns>Absolute; 0 when a logit is not finite.</returns>
    public static double Swap(double operations, ReadOnlySpan<float> logits, bool underBFloat16)
    {
        double largest = 0;
        foreach (float logit in logits)
        {
            if (!float.IsFinite(logit))
            {
                return 0;
            }

            largest = Math.Max(largest, Math.Abs((double)logit));
        }

        return 2 * largest * (underBFloat16 ? BFloat16LargestElement(largest) : LargestElement(operations));
    }

    /// <summary>Units of u·gauge for one element of a product.</summary>
    /// <param name="inputs">K.</param>
    /// <returns>Units.</returns>
    public static double ProductUnits(int inputs) =>
        Lambda * (Math.Sqrt(Summation.BlockLength + (inputs / (double)Summation.BlockLength)) + Math.Sqrt(inputs));

    /// <summary>Units of u·gauge for an operator with a chain of n roundings on each side.</summary>
    /// <param name="roundings">n.</param>
    /// <returns>Units.</returns>
    public static double ChainUnits(double roundings) => 2 * Lambda * Math.Sqrt(roundings);
}
