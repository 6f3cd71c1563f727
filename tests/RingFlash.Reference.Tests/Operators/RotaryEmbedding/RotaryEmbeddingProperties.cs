// Red here: a rotation stretches, does not undo itself, or is further from the truth than its page promises.
using System;
using FsCheck.Xunit;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Tests.Operators;

[Properties(Replay = "(20250917,20250919)", MaxTest = 40)]
public sealed class RotaryEmbeddingProperties
{
    private const int HeadDim = 80, RotaryDim = 64, Half = RotaryDim / 2;

    private static readonly RotaryTable Table =
        RotaryTable.For(new RotaryConfiguration { RotaryDimension = RotaryDim, Theta = 600_000 });

    [Property]
    public void ErrorsAreWithinThePagesBound(int seed, ushort position)
    {
        AgainstExact<Float32Precision>(seed, position);
        AgainstExact<BFloat16Precision>(seed, position);
    }

    [Property]
    public void PairsKeepTheirNorm(int seed, ushort position)
    {
        float[] x = TestValues.Spread(HeadDim, seed), y = Rotated(x, position);
        for (int d = 0; d < Half; d++)
        {
            // The table rounds cos and sin once: cos² + sin² is within 2·u of 1, the norm within u. Each output is off
            // by 2·u·(|x|·|cos| + |x'|·|sin|) ≤ 2·u·norm at most, the pair by 2·√2·u; and u for the conversion below.
            double before = Math.Sqrt(((double)x[d] * x[d]) + ((double)x[d + Half] * x[d + Half]));
            double after = Math.Sqrt(((double)y[d] * y[d]) + ((double)y[d + Half] * y[d + Half]));
            Check.Within(
                [(float)after],
                [before],
                _ => 5 * Check.FloatUnit * before,
                $"pair {d}, position {position}, seed {seed}");
        }

        Check.SameBits(x.AsSpan(RotaryDim), y.AsSpan(RotaryDim), "channels beyond R pass through");
    }

    [Property]
    public void RotatingByAPositionAndBackIsTheIdentity(int seed, ushort position)
    {
        float[] x = TestValues.Spread(HeadDim, seed), y = Rotated(Rotated(x, position), -position);
        double[] wide = TestValues.Wide(x);

        // Angles of p and −p are exact opposites in float32. Two rotations off by 2·√2·u of the norm each, and twice
        // the table's u: 8·u of the pair's norm covers them.
        Check.Within(
            y,
            wide,
            d => d >= RotaryDim ? 0 : 8 * Check.FloatUnit * double.Hypot(wide[d % Half], wide[(d % Half) + Half]),
            $"position {position}, seed {seed}");
    }

    [Property]
    public void PositionZeroChangesNothing(int seed)
    {
        float[] x = TestValues.Spread(HeadDim, seed);
        Check.SameBits(x, Rotated(x, 0), $"seed {seed}");
    }

    [Property]
    public void PowersOfTwoScale(int seed, ushort position, byte shift)
    {
        float[] x = TestValues.Spread(HeadDim, seed);
        int exponent = (shift % 40) - 20;
        Check.SameBits(
            TestValues.Scaled(Rotated(x, position), exponent),
            Rotated(TestValues.Scaled(x, exponent), position),
            $"2^{exponent}");
    }

    private static void AgainstExact<TPrecision>(int seed, ushort position)
        where TPrecision : struct, IPrecision
    {
        float[] x = TestValues.Spread<TPrecision>(HeadDim, seed);
        float[] cosine = new float[RotaryDim];
        float[] sine = new float[RotaryDim];
        Table.Fill([position], cosine, sine);
        for (int d = 0; d < RotaryDim; d++)
        {
            (cosine[d], sine[d]) = (TPrecision.Round(cosine[d]), TPrecision.Round(sine[d]));
        }

        float[] y = new float[HeadDim];
        double[] exact = new double[HeadDim];
        RotaryEmbedding.Vectorised<TPrecision>(x, cosine, sine, y);
        RotaryEmbedding.Exact(TestValues.Wide(x), TestValues.Wide(cosine), TestValues.Wide(sine), exact);

        // Each product is rounded, then the sum; under bfloat16 the float32 operation rounds first.
        double relative = Check.Relative<TPrecision>(2, 2);
        Check.Within(
            y,
            exact,
            d =>
            {
                int partner = d < Half ? d + Half : d - Half;
                return d >= RotaryDim
                    ? 0
                    : (relative * (Math.Abs((double)x[d] * cosine[d]) + Math.Abs((double)x[partner] * sine[d])))
                        + (3 * Check.HalfTiny<TPrecision>());
            },
            $"{TPrecision.Name}, position {position}, seed {seed}");
    }

    private static float[] Rotated(float[] x, long position)
    {
        float[] y = new float[HeadDim], cosine = new float[RotaryDim], sine = new float[RotaryDim];
        Table.Fill([position], cosine, sine);
        RotaryEmbedding.Apply<Float32Precision>(
            ExecutionEngine.Vector512, x, 1, 1, HeadDim, cosine, sine, RotaryDim, y);
        return y;
    }
}
