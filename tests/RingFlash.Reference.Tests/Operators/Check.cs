// Comparisons for the operator tests. Red nowhere by itself: a comparison that forgave NaN or length would hide
// defects.
using System;
using System.Globalization;
using RingFlash.Reference.Numerics;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

/// <summary>Equality of bits and errors against a bound; failures name the axes, the element and both values.</summary>
internal static class Check
{
    public const double FloatUnit = 1.0 / (1 << 24);

    /// <summary>The spacing of float32 subnormals.</summary>
    public const double FloatTiny = 1.4012984643248171e-45;

    /// <summary>The spacing of bfloat16 subnormals, 2^-133.</summary>
    public const double BFloat16Tiny = FloatTiny * 65536;

    /// <summary>The absolute error of one rounding to the storage type below its normal range: half the
    /// spacing.</summary>
    public static double HalfTiny<TPrecision>()
        where TPrecision : struct, IPrecision =>
        TPrecision.UnitRoundoff == FloatUnit ? FloatTiny / 2 : BFloat16Tiny / 2;

    /// <summary>
    /// The relative error after <paramref name="units"/> float32 roundings and <paramref name="roundings"/> roundings
    /// to the storage type; under float32 the latter do nothing.
    /// </summary>
    public static double Relative<TPrecision>(double units, int roundings)
        where TPrecision : struct, IPrecision
    {
        double gamma = units * FloatUnit / (1 - (units * FloatUnit));
        double storage = TPrecision.UnitRoundoff == FloatUnit ? 0 : TPrecision.UnitRoundoff;
        return ((1 + gamma) * Math.Pow(1 + storage, roundings)) - 1;
    }

    /// <summary>The same bits; any NaN equals any NaN, because which payload survives is not fixed by IEEE
    /// 754.</summary>
    public static void SameBits(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual, string axes)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            if (BitConverter.SingleToUInt32Bits(expected[i]) != BitConverter.SingleToUInt32Bits(actual[i])
                && !(float.IsNaN(expected[i]) && float.IsNaN(actual[i])))
            {
                Assert.Fail(string.Create(
                    CultureInfo.InvariantCulture, $"{axes}: element {i} is {actual[i]:R}, not {expected[i]:R}"));
            }
        }
    }

    /// <summary>|actual − exact| ≤ allowed, element by element; not finite must be not finite of the same
    /// kind.</summary>
    public static void Within(
        ReadOnlySpan<float> actual, ReadOnlySpan<double> exact, Func<int, double> allowed, string axes)
    {
        Assert.Equal(exact.Length, actual.Length);
        for (int i = 0; i < exact.Length; i++)
        {
            bool same = double.IsNaN(exact[i]) ? float.IsNaN(actual[i]) : actual[i] == exact[i];
            if (!same && !(Math.Abs(actual[i] - exact[i]) <= allowed(i)))
            {
                Assert.Fail(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{axes}: element {i} is {actual[i]:R}, exactly {exact[i]:R}: "
                    + $"off by {actual[i] - exact[i]:E3}, allowed {allowed(i):E3}"));
            }
        }
    }
}
