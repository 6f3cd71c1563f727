using System;
using RingFlash.Reference.Devices;

namespace RingFlash.Reference.Operators;

/// <content>The margin of a choice on a device, as <see cref="Margin"/>, in float64.</content>
public static partial class GroupLimitedTopK
{
    /// <summary>A thread per token, after the choice.</summary>
    /// <param name="a">The arguments; the indices are read.</param>
    [Kernel(Float64 = true, VectorLoads = 0)]
    internal static void MarginKernel(KernelArguments a)
    {
        for (int token = DeviceThread.Index; token < a.Tokens; token += DeviceThread.Count)
        {
            long scores = (long)token * a.Experts, chosen = (long)token * a.TopK;
            long lastGroup = LastChosenGroup(a, scores);
            double worstGroup = double.PositiveInfinity, bestOtherGroup = double.NegativeInfinity;
            double worstExpert = double.PositiveInfinity, bestOtherExpert = double.NegativeInfinity;
            for (int g = 0; g < a.Groups; g++)
            {
                bool groupIsChosen = GroupOrder(a, scores, g) >= lastGroup;
                double first = double.NegativeInfinity, second = double.NegativeInfinity;
                for (int e = g * a.ExpertsPerGroup; e < (g + 1) * a.ExpertsPerGroup; e++)
                {
                    double biased = (double)a.Scores[scores + e] + a.ExpertBias[e];
                    second = biased > first ? first : Maximum(second, biased);
                    first = biased > first ? biased : first;
                    if (IsChosen(a, chosen, e))
                    {
                        worstExpert = Minimum(worstExpert, biased);
                    }
                    else if (groupIsChosen)
                    {
                        bestOtherExpert = Maximum(bestOtherExpert, biased);
                    }
                }

                if (groupIsChosen)
                {
                    worstGroup = Minimum(worstGroup, first + second);
                }
                else
                {
                    bestOtherGroup = Maximum(bestOtherGroup, first + second);
                }
            }

            a.Margins[token] = (float)Minimum(worstGroup - bestOtherGroup, worstExpert - bestOtherExpert);
        }
    }

    private static bool IsChosen(in KernelArguments a, long chosen, int expert)
    {
        bool found = false;
        for (int k = 0; k < a.TopK; k++)
        {
            found |= a.Indices[chosen + k] == expert;
        }

        return found;
    }

    // Math.Min and Math.Max to the bit: a NaN wins, and −0 is below +0. The device's own min and max skip NaN.
    private static double Minimum(double left, double right)
    {
        bool takesLeft = left < right || double.IsNaN(left) || (left == right && IsNegative(left));
        return takesLeft ? left : right;
    }

    private static double Maximum(double left, double right)
    {
        bool takesLeft = left > right || double.IsNaN(left) || (left == right && !IsNegative(left));
        return takesLeft ? left : right;
    }

    private static bool IsNegative(double value) => BitConverter.DoubleToInt64Bits(value) < 0;
}
