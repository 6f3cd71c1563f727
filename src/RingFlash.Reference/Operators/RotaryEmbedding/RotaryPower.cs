using System;

namespace RingFlash.Reference.Operators;

/// <summary>
/// The float32 power θ^x of the published rotary frequencies, with the bits of the library that computed them.
/// </summary>
/// <remarks>
/// <para>Why not the correctly rounded power: torch's CPU kernel calls SLEEF's powf (at most 1 ulp off), which differs
/// from correct rounding for about 2 exponents in 100. For θ = 600 000 and R = 64 that is channel 2, where the exact
/// power lies 0.498 ulp from one float and 0.502 from the next, and SLEEF takes the farther one. One ulp of a frequency
/// is nothing at position 10 and 0.01 in the cosine at position 131 071, so a reference that wants the published angles
/// needs the published power.</para>
/// <para>Maths: x = m·2^q with m in [0.75, 1.5); log x = q·ln 2 + 2·atanh((m − 1)/(m + 1)) as an unevaluated sum of two
/// floats; times the exponent; then e^(high + low) = 2^n·e^r with |r| ≤ ln 2 / 2. Every step is a fused multiply-add,
/// an addition or one division, so the bits are the same on every machine.</para>
/// <para>Bound: below 1 ulp (SLEEF's guarantee); measured 0.502 over the 32 frequencies of Ring-flash-2.0, all of which
/// equal the published ones bit for bit. Against torch 1.13 over six θ and every even R to 256: all 43 776 powers of
/// whole runs equal; 5 of the 5 760 remaining ones differ by 1 ulp, where the C library itself does not round
/// correctly.</para>
/// <para>Source: algorithm and polynomial coefficients of SLEEF 3 (N. Shibata and F. Petrogalli, IEEE TPDS 31(6),
/// 2020), powf with 1.0 ulp, as used by torch's vectorised pow.</para>
/// </remarks>
internal static class RotaryPower
{
    // ln 2 as a pair for the logarithm, and split so that n · Ln2High is exact for the exponential.
    private const float Ln2 = 0.69314718246459960938f;
    private const float Ln2Tail = -1.904654323148236017e-09f;
    private const float Ln2High = 0.693145751953125f;
    private const float Ln2Low = 1.428606765330187045e-06f;
    private const float Log2OfE = 1.44269504088896340736f;

    // torch's kernel works on two 8-lane vectors at a time and leaves what remains to the C library.
    private const int VectorisedRun = 16;

    /// <summary>
    /// Element <paramref name="index"/> of a tensor of <paramref name="count"/> powers as torch computes it: SLEEF for
    /// whole runs of 16 elements, the C library's powf (correctly rounded but for rare near ties) for the rest.
    /// </summary>
    /// <param name="x">The base.</param>
    /// <param name="exponent">The exponent of this element.</param>
    /// <param name="index">Its place in the tensor.</param>
    /// <param name="count">The length of the tensor.</param>
    /// <returns>x^exponent.</returns>
    public static float Published(float x, float exponent, int index, int count) =>
        index < count / VectorisedRun * VectorisedRun ? Power(x, exponent) : (float)Math.Pow(x, exponent);

    /// <summary>Raises a positive base to a power.</summary>
    /// <param name="x">The base, positive, finite, at least 2^-126.</param>
    /// <param name="exponent">The exponent; the result must be a normal number.</param>
    /// <returns>x^exponent.</returns>
    public static float Power(float x, float exponent) => Exponential(Times(Logarithm(x), exponent));

    private static Pair Logarithm(float x)
    {
        int q = Math.ILogB(x * (1f / 0.75f));
        float m = MathF.ScaleB(x, -q);
        Pair ratio = Divide(Sum(-1f, m), Sum(1f, m));
        Pair square = Times(ratio, ratio.High, ratio.Low + ratio.Low);

        // atanh(s)/s − 1 = s²·(2/3 + 2/5·s² + 2/7·s⁴ + …)/2: the leading coefficient as a pair, the rest in float32.
        float tail = 0.240320354700088500976562f;
        tail = MathF.FusedMultiplyAdd(tail, square.High, 0.285112679004669189453125f);
        tail = MathF.FusedMultiplyAdd(tail, square.High, 0.400007992982864379882812f);
        Pair leading = new(0.66666662693023681640625f, 3.69183861259614332084311e-09f);
        Pair result = Times(new Pair(Ln2, Ln2Tail), q);
        result = SumOrdered(result, new Pair(ratio.High * 2, ratio.Low * 2));
        return SumOrdered(result, Times(Times(square, ratio), Sum(Times(square, tail), leading)));
    }

    private static float Exponential(Pair x)
    {
        float n = MathF.Round((x.High + x.Low) * Log2OfE, MidpointRounding.ToEven);
        Pair r = Sum(Sum(x, n * -Ln2High), n * -Ln2Low);
        float high = r.High + r.Low;
        r = new Pair(high, r.High - high + r.Low);
        float tail = 0.00136324646882712841033936f;
        tail = MathF.FusedMultiplyAdd(tail, r.High, 0.00836596917361021041870117f);
        tail = MathF.FusedMultiplyAdd(tail, r.High, 0.0416710823774337768554688f);
        tail = MathF.FusedMultiplyAdd(tail, r.High, 0.166665524244308471679688f);
        tail = MathF.FusedMultiplyAdd(tail, r.High, 0.499999850988388061523438f);
        Pair minusOne = SumOrdered(r, Times(Times(r, r.High, r.Low + r.Low), tail));
        float whole = 1f + minusOne.High;
        return MathF.ScaleB(whole + (1f - whole + minusOne.High + minusOne.Low), (int)n);
    }

    private static Pair Times(Pair a, float b)
    {
        float product = a.High * b;
        return new(product, MathF.FusedMultiplyAdd(a.Low, b, MathF.FusedMultiplyAdd(a.High, b, -product)));
    }

    private static Pair Times(Pair a, Pair b)
    {
        float product = a.High * b.High;
        float rest = MathF.FusedMultiplyAdd(a.Low, b.High, MathF.FusedMultiplyAdd(a.High, b.High, -product));
        return new(product, MathF.FusedMultiplyAdd(a.High, b.Low, rest));
    }

    /// <summary>A square: the cross term once, doubled, as the published code does it.</summary>
    private static Pair Times(Pair a, float high, float doubleLow)
    {
        float product = a.High * high;
        return new(product, MathF.FusedMultiplyAdd(high, doubleLow, MathF.FusedMultiplyAdd(high, high, -product)));
    }

    private static Pair Divide(Pair numerator, Pair denominator)
    {
        float reciprocal = 1f / denominator.High;
        float quotient = numerator.High * reciprocal;
        float rounding = MathF.FusedMultiplyAdd(reciprocal, numerator.High, -quotient);
        float defect = MathF.FusedMultiplyAdd(
            -denominator.Low, reciprocal, MathF.FusedMultiplyAdd(-denominator.High, reciprocal, 1f));
        float low = MathF.FusedMultiplyAdd(numerator.Low, reciprocal, rounding);
        return new(quotient, MathF.FusedMultiplyAdd(quotient, defect, low));
    }

    private static Pair Sum(float a, float b)
    {
        float sum = a + b, back = sum - a;
        return new(sum, (a - (sum - back)) + (b - back));
    }

    private static Pair Sum(Pair a, float b)
    {
        Pair sum = Sum(a.High, b);
        return new(sum.High, sum.Low + a.Low);
    }

    private static Pair Sum(Pair a, Pair b)
    {
        Pair sum = Sum(a.High, b.High);
        return new(sum.High, sum.Low + (a.Low + b.Low));
    }

    /// <summary>For |a| ≥ |b|.</summary>
    private static Pair SumOrdered(Pair a, Pair b)
    {
        float sum = a.High + b.High;
        return new(sum, a.High - sum + b.High + a.Low + b.Low);
    }

    /// <summary>An unevaluated sum of two floats.</summary>
    private readonly record struct Pair(float High, float Low);
}
