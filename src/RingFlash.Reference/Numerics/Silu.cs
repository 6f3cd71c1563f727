using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace RingFlash.Reference.Numerics;

/// <summary>SiLU, x · sigmoid(x) = x / (1 + e^-x), in float32 from operations that IEEE 754 fixes.</summary>
/// <remarks>
/// <para>Maths: with sigmoid(x) = (high + low) · 2^n: silu(x) = fma(x, high, x · low) · 2^n.</para>
/// <para>Bound: 1 ulp (spacing 2^-149 for subnormal results); measured over every float32: normal results 0.619,
/// subnormal results 0.785. Rounding the sigmoid before the product would give up to 1.5 ulp, which is why
/// <see cref="Sigmoid.Apply(float)"/> is not called.</para>
/// <para>Special: ±0 gives ±0; +∞ gives +∞; −∞ gives NaN, because the published x / (1 + e^-x) is −∞ / ∞ there;
/// finite x below about −108.7 gives −0; NaN gives <see cref="float.NaN"/>.</para>
/// <para>Rounding: to nearest; no ties to decide.</para>
/// <para>Contraction: no rounded product is ever the addend of a plain sum.</para>
/// </remarks>
public static class Silu
{
    /// <summary>
    /// Below this the result rounds to −0 (120 · e^-120 = 2^-166), and the clamp keeps larger |x| there.
    /// </summary>
    private const float Lowest = -120f;

    /// <summary>
    /// Above this sigmoid(x) is 1 to 2^-173, so silu(x) = x; the select keeps ∞ · 0 out of the result.
    /// </summary>
    private const float Highest = 120f;

    /// <summary>x · sigmoid(x).</summary>
    /// <param name="x">Any float32.</param>
    /// <returns>The product within 1 ulp.</returns>
    public static float Apply(float x)
    {
        float factor = x < Lowest ? Lowest : x;
        Sigmoid.Split(x, out float high, out float low, out int exponent);
        float product = System.MathF.FusedMultiplyAdd(factor, high, factor * low);
        float result = PowerOfTwo.Scale(product, exponent);
        result = x > Highest ? x : result;
        return x > float.NegativeInfinity ? result : float.NaN; // false for −∞ and for NaN
    }

    /// <summary>Lane by lane as <see cref="Apply(float)"/>, bit for bit.</summary>
    /// <param name="x">Any float32 lanes.</param>
    /// <returns>The products within 1 ulp.</returns>
    public static Vector512<float> Apply(Vector512<float> x)
    {
        Vector512<float> lowest = Vector512.Create(Lowest);
        Vector512<float> factor = Vector512.ConditionalSelect(Vector512.LessThan(x, lowest), lowest, x);
        Sigmoid.Split(x, out Vector512<float> high, out Vector512<float> low, out Vector512<int> exponent);
        Vector512<float> product = Vector512.FusedMultiplyAdd(factor, high, factor * low);
        Vector512<float> result = PowerOfTwo.Scale(product, exponent);
        result = Vector512.ConditionalSelect(Vector512.GreaterThan(x, Vector512.Create(Highest)), x, result);
        Vector512<float> allowed = Vector512.GreaterThan(x, Vector512.Create(float.NegativeInfinity));
        return Vector512.ConditionalSelect(allowed, result, Vector512.Create(float.NaN));
    }

    /// <summary>
    /// The bits of <see cref="Apply(Vector512{float})"/> for lanes in the range of
    /// <see cref="Sigmoid.IsPlain(Vector512{float})"/>: the result is a normal number wherever the exponent is not 0,
    /// so 2^n is one exact factor.
    /// </summary>
    /// <param name="x">Below 69 in size each.</param>
    /// <returns>The products within 1 ulp.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector512<float> ApplyToPlain(Vector512<float> x)
    {
        Sigmoid.SplitPlain(x, out Vector512<float> high, out Vector512<float> low, out Vector512<int> exponent);
        return Vector512.FusedMultiplyAdd(x, high, x * low) * PowerOfTwo.Create(exponent);
    }

    /// <summary>
    /// The bits of <see cref="Apply(Vector512{float})"/> for 64 plain lanes; the exponent is added in its place.
    /// </summary>
    /// <param name="x">Below 69 in size each.</param>
    /// <returns>The products within 1 ulp.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static FourVectors ApplyToPlain(FourVectors x)
    {
        Sigmoid.SplitPlain(x, out FourVectors high, out FourVectors low, out FourVectors field);
        return FourVectors.AddBits(FourVectors.FusedMultiplyAdd(x, high, x * low), field);
    }
}
