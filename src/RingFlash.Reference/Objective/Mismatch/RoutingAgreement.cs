using System;
using System.Collections.Generic;
using System.Linq;

namespace RingFlash.Reference.Objective.Mismatch;

/// <summary>How well two routers agree in one layer.</summary>
/// <param name="Layer">The layer, from 0 among those with a router.</param>
/// <param name="Tokens">Valid tokens for which both engines told their experts.</param>
/// <param name="SameSet">Tokens with the same experts in any order.</param>
/// <param name="SameOrder">Tokens with the same experts in the same order.</param>
/// <param name="MeanOverlap">The mean share of experts in common; NaN when no token was compared.</param>
public sealed record LayerAgreement(int Layer, int Tokens, int SameSet, int SameOrder, double MeanOverlap)
{
    /// <summary>Tokens with the same experts over compared tokens; NaN for none.</summary>
    public double SameSetShare => (double)SameSet / Tokens;
}

/// <summary>How well two routers agree, and what the gap is where they do not.</summary>
/// <param name="Layers">Per layer.</param>
/// <param name="NotTold">Valid token and layer pairs for which an engine did not tell.</param>
/// <param name="SameEverywhere">Compared tokens with the same experts in all layers.</param>
/// <param name="DifferentSomewhere">Compared tokens with other experts in some layer.</param>
/// <param name="GapSame">Mean |Δ| of the former; NaN for none.</param>
/// <param name="GapDifferent">Mean |Δ| of the latter; NaN for none.</param>
public sealed record RoutingAgreement(
    IReadOnlyList<LayerAgreement> Layers,
    int NotTold,
    int SameEverywhere,
    int DifferentSomewhere,
    double GapSame,
    double GapDifferent)
{
    internal static RoutingAgreement? Measure(MismatchInput input)
    {
        if (input.Train.RoutedExperts is not RoutedExpertChoices train
            || input.Infer.RoutedExperts is not RoutedExpertChoices infer)
        {
            return null;
        }

        (int Tokens, int SameSet, int SameOrder, double Overlap)[] layers =
            new (int, int, int, double)[train.Layers];
        int notTold = 0, same = 0, different = 0;
        double gapSame = 0, gapDifferent = 0;
        for (int token = 0; token < input.Mask.Length; token++)
        {
            if (!input.Mask[token])
            {
                continue;
            }

            bool toldAll = true, sameAll = true;
            for (int layer = 0; layer < train.Layers; layer++)
            {
                int start = ((token * train.Layers) + layer) * train.TopK;
                ReadOnlySpan<long> left = train.Experts.AsSpan(start, train.TopK);
                ReadOnlySpan<long> right = infer.Experts.AsSpan(start, train.TopK);
                if (left.Contains(RoutedExpertChoices.Missing) || right.Contains(RoutedExpertChoices.Missing))
                {
                    notTold++;
                    toldAll = false;
                    continue;
                }

                int common = InCommon(left, right);
                bool isSame = common == train.TopK;
                layers[layer].Tokens++;
                layers[layer].SameSet += isSame ? 1 : 0;
                layers[layer].SameOrder += left.SequenceEqual(right) ? 1 : 0;
                layers[layer].Overlap += (double)common / train.TopK;
                sameAll &= isSame;
            }

            double delta = input.Train.LogProbabilities[token] - input.Infer.LogProbabilities[token];
            if (!toldAll || !double.IsFinite(delta))
            {
                continue;
            }

            (same, different) = sameAll ? (same + 1, different) : (same, different + 1);
            gapSame += sameAll ? Math.Abs(delta) : 0;
            gapDifferent += sameAll ? 0 : Math.Abs(delta);
        }

        return new(
            [
                .. layers.Select((layer, index) => new LayerAgreement(
                    index, layer.Tokens, layer.SameSet, layer.SameOrder, layer.Overlap / layer.Tokens)),
            ],
            notTold,
            same,
            different,
            gapSame / same,
            gapDifferent / different);
    }

    // The multisets' intersection: an expert that is listed twice on one side counts once for each partner it finds.
    private static int InCommon(ReadOnlySpan<long> left, ReadOnlySpan<long> right)
    {
        long[] first = left.ToArray(), second = right.ToArray();
        Array.Sort(first);
        Array.Sort(second);
        int common = 0;
        for (int i = 0, j = 0; i < first.Length && j < second.Length;)
        {
            if (first[i] == second[j])
            {
                common++;
                i++;
                j++;
            }
            else if (first[i] < second[j])
            {
                i++;
            }
            else
            {
                j++;
            }
        }

        return common;
    }
}
