using System;

namespace RingFlash.Reference.Objective.Properties;

/// <summary>Puts what breaks implementations into a case.</summary>
internal static class EdgeInjector
{
    private static readonly double[] Poisons = [double.NaN, double.NegativeInfinity, double.PositiveInfinity];

    public static void Inject(PropertyCase made, CaseRandom random)
    {
        switch (random.Below(5))
        {
            case 0:
                PoisonPadding(made, random);
                break;
            case 1:
                PoisonToken(made, random, random.Below(Math.Max(made.Tokens, 1)));
                break;
            case 2:
                Array.Clear(made.Mask, random.Below(made.Rollouts) * made.Length, made.Length);
                break;
            case 3:
                Array.Clear(made.Mask);
                PoisonPadding(made, random);
                break;
            default:
                AllOut(made);
                break;
        }
    }

    public static void PoisonPadding(PropertyCase made, CaseRandom random)
    {
        for (int i = 0; i < made.Tokens; i++)
        {
            if (!made.Valid(i))
            {
                made.Current[i] = random.Pick(Poisons);
                made.Old[i] = random.Pick(Poisons);
                made.Inference[i] = random.Pick(Poisons);
            }
        }
    }

    /// <summary>−∞ or NaN from either engine, or from both, as inference engines report near entropy
    /// collapse.</summary>
    public static void PoisonToken(PropertyCase made, CaseRandom random, int token)
    {
        if (token < made.Tokens)
        {
            double poison = random.Pick(double.NegativeInfinity, double.NaN);
            int side = random.Below(3);
            made.Old[token] = side != 0 ? poison : made.Old[token];
            made.Inference[token] = side != 1 ? poison : made.Inference[token];
        }
    }

    /// <summary>Every token out of band; where nothing finite is out of it, not finite.</summary>
    public static void AllOut(PropertyCase made)
    {
        for (int i = 0; i < made.Tokens; i++)
        {
            Out(made, i);
        }
    }

    /// <summary>One token out of band by a wide margin.</summary>
    public static void Out(PropertyCase made, int token) =>
        made.Inference[token] = double.IsFinite(made.Beta)
            ? made.Old[token] - Math.Log(made.Beta) - 9
            : double.NegativeInfinity;
}
