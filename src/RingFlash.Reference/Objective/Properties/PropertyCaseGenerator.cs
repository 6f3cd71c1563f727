using System;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Objective.Properties;

/// <summary>Which cases a property wants.</summary>
internal enum CaseKind
{
    /// <summary>Everything finite: ragged rows with holes, ends of the band to the bit, extreme differences.</summary>
    General,

    /// <summary>As general, but every log-probability is a multiple of 2^−20, so that shifts are exact.</summary>
    Dyadic,

    /// <summary>Small differences away from all kinks, for derivatives.</summary>
    Smooth,

    /// <summary>As general, with NaN, ±∞, emptiness or a batch out of band injected.</summary>
    Edges,
}

/// <summary>Random cases as the specification of the properties describes them.</summary>
internal static class PropertyCaseGenerator
{
    private static readonly double[] Extremes = [20, 88.75, 104, 709.75, 745.25, 1000];

    /// <summary>The case of a seed.</summary>
    /// <param name="kind">What the property wants.</param>
    /// <param name="seed">The same seed gives the same case.</param>
    /// <param name="singlePrecision">Whether the loss computes in float32.</param>
    public static PropertyCase Make(CaseKind kind, ulong seed, bool singlePrecision = false)
    {
        CaseRandom random = new(seed);
        int rollouts = random.Between(1, 8), length = random.Between(0, 12);
        PropertyCase made = new()
        {
            Rollouts = rollouts,
            Length = length,
            Current = new double[rollouts * length],
            Old = new double[rollouts * length],
            Inference = new double[rollouts * length],
            Advantages = new double[rollouts],
            Mask = new byte[rollouts * length],
            Choices = random.NextBits(),
        };
        bool namedBand = Configure(made, random, kind);
        bool holes = random.Chance(0.3), realistic = random.Chance(0.15);
        int style = random.Below(5);
        double[] grouped = GroupRelative(random, rollouts);
        for (int row = 0; row < rollouts; row++)
        {
            made.Advantages[row] = style == 3 ? grouped[row] : Advantage(random, style, kind);
            int used = length == 0 || random.Chance(0.15) ? 0 : random.Between(1, length);
            for (int t = 0; t < length; t++)
            {
                int i = (row * length) + t;
                made.Mask[i] = t < used && !(holes && random.Chance(0.2)) ? (byte)1 : (byte)0;
                Token(made, random, kind, realistic, namedBand, i);
            }
        }

        if (singlePrecision)
        {
            SinglePrecisionCase.Fit(made, kind == CaseKind.Dyadic);
        }

        if (kind == CaseKind.Edges)
        {
            EdgeInjector.Inject(made, random);
        }

        return made;
    }

    /// <summary>
    /// Whether the band is one that people use. Libraries agree on the logarithms of those; on others they may differ
    /// in the last bit, and a token exactly on the end would test the library.
    /// </summary>
    private static bool Configure(PropertyCase made, CaseRandom random, CaseKind kind)
    {
        int choice = random.Below(9);
        (made.Alpha, made.Beta) = choice switch
        {
            0 or 8 => (0.5, 5.0),
            1 => (0.5, 2.0),
            2 => (0.2, 5.0),
            3 => (0.4, 5.0),
            4 => (0.125, 8.0),
            5 when kind != CaseKind.Smooth => (1.0, 1.0),
            6 => (0.0, double.PositiveInfinity),
            _ => (random.Unit(), Math.Exp(3 * random.Unit())),
        };
        (made.EpsilonLow, made.EpsilonHigh) = random.Pick((0.2, 0.2), (0.2, 0.28), (0.1, 0.4), (0.0, 0.0), (0.4, 0.3));
        return choice != 7;
    }

    private static double Advantage(CaseRandom random, int style, CaseKind kind) => style switch
    {
        0 => random.Chance(0.5) ? 1 : -1,
        1 => random.Between(-2, 2) / 2.0,
        4 when kind != CaseKind.Smooth => random.Pick(0, 1e-12, -1e-12, 1e6, -1e6, 1, -1),
        _ => random.Normal(1),
    };

    /// <summary>From rewards of one group: right or wrong, few-valued, or any.</summary>
    private static double[] GroupRelative(CaseRandom random, int rollouts)
    {
        double[] rewards = new double[rollouts], advantages = new double[rollouts];
        int levels = random.Pick(2, 4, 1 << 20);
        for (int row = 0; row < rollouts; row++)
        {
            rewards[row] = random.Below(levels) / (levels - 1.0);
        }

        GroupAdvantage.Exact(rewards, new long[rollouts], new GroupAdvantageOptions(), advantages);
        return advantages;
    }

    /// <summary>S3 of the specification: small noise, and now and then a token far off.</summary>
    private static double Realistic(CaseRandom random) => random.Normal(random.Chance(0.004) ? 1 : 0.03);

    private static void Token(
        PropertyCase made, CaseRandom random, CaseKind kind, bool realistic, bool namedBand, int i)
    {
        double share = random.Unit();
        double old = CaseRandom.Dyadic(
            share < 0.5 ? random.Uniform(-0.01, 0) : share < 0.9 ? random.Uniform(-5, 0) : random.Uniform(-40, -5));
        double low = made.Alpha > 0 ? Math.Log(made.Alpha) : -3;
        double high = double.IsFinite(made.Beta) ? Math.Log(made.Beta) : 3;
        double move = PolicyMove(made, random, kind);
        share = random.Unit();
        if (kind is (CaseKind.General or CaseKind.Edges) && share < 0.1 && !realistic && namedBand)
        {
            // One side is 0, so that Δ is the end of the band to the bit, or one unit beside it.
            double difference = random.Chance(0.5) ? low : high;
            difference = random.Pick(difference, Math.BitIncrement(difference), Math.BitDecrement(difference));
            made.Old[i] = difference < 0 ? difference : 0;
            made.Inference[i] = difference < 0 ? 0 : -difference;
            made.Current[i] = made.Old[i] + Math.Min(move, 0);
            return;
        }

        bool extreme = kind != CaseKind.Smooth && share is >= 0.1 and < 0.15 && !realistic;
        double gap = extreme ? random.Pick(Extremes) * random.Pick(1, -1)
            : realistic ? Realistic(random)
            : share < 0.4 ? random.Uniform(low - 1, high + 1)
            : random.Normal(0.05);
        gap = extreme && double.IsPositiveInfinity(made.Beta) ? Math.Clamp(gap, -1000, 104) : CaseRandom.Dyadic(gap);
        if (kind == CaseKind.Smooth && (Math.Abs(gap - low) < 1e-3 || Math.Abs(gap - high) < 1e-3))
        {
            gap = 0;
        }

        double highest = Math.Max(Math.Max(old, old - gap), Math.Max(old + move, 0));
        made.Old[i] = old - highest;
        made.Inference[i] = old - gap - highest;
        made.Current[i] = old + move - highest;
    }

    private static double PolicyMove(PropertyCase made, CaseRandom random, CaseKind kind)
    {
        double share = random.Unit();
        double kink = random.Chance(0.5) ? Math.Log(1 + made.EpsilonHigh) : Math.Log(1 - made.EpsilonLow);
        double move = share < 0.4 ? 0 : share < 0.9 ? random.Normal(0.25) : kink + random.Pick(0, 1e-3, -1e-3);
        double ratio = Math.Exp(move);
        bool atKink = Math.Abs(ratio - 1 - made.EpsilonHigh) < 1e-3 || Math.Abs(ratio - 1 + made.EpsilonLow) < 1e-3;
        return CaseRandom.Dyadic(kind == CaseKind.Smooth && atKink ? move + 0.01 : move);
    }
}
