using ILGPU;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Objective;

/// <content>
/// The kernel: a warp owns a response and lane s the stripe s of its sums, so the warp reads whole lines of each array
/// and writes whole lines of the gradient, and the halving tree is five shuffles. Per token it calls the definitions of
/// <see cref="IcePopMask"/>, <see cref="ImportanceRatio"/>, <see cref="ClippedSurrogate"/> and
/// <see cref="KullbackLeiblerEstimator"/>; nothing per token but the gradient is stored. One version: there is nothing
/// to simplify, and a batch of an update has more responses than a card has room for warps.
/// </content>
public sealed partial class DeviceObjective
{
    /// <summary>A warp per response.</summary>
    /// <param name="a">The arguments.</param>
    [Kernel(VectorLoads = 0)]
    internal static void Kernel(KernelArguments a)
    {
        for (int row = DeviceThread.Warp; row < a.Rollouts; row += DeviceThread.WarpCount)
        {
            float advantage = a.Advantages[row], coefficient = a.Coefficients[row];
            float share = a.DivergenceCoefficient * coefficient;

            // For one sign of the advantage one limit acts on each side, as in ClippedSurrogate.
            float lowest = advantage < 0f ? a.LowestRatio : float.NegativeInfinity;
            float highest = advantage > 0f ? a.HighestRatio : advantage < 0f ? a.DualClip : float.PositiveInfinity;
            float policy = 0f, divergence = 0f;
            for (int t = Group.IdxX; t < a.ResponseLength; t += KernelHost.Lanes)
            {
                long at = ((long)row * a.ResponseLength) + t;
                byte mask = a.ResponseMask[at];
                float current = a.Current[at], old = a.Old[at];
                (TokenDecision decision, float weight) =
                    IcePopMask.Decide(old - a.Inference[at], mask, a.LowestLog, a.HighestLog);
                float ratio = ImportanceRatio.Of(current, old, float.PositiveInfinity);
                bool kept = decision == TokenDecision.Kept;
                (float contribution, bool clipped) =
                    ClippedSurrogate.Of(ratio, weight, kept, advantage, lowest, highest);
                policy += contribution;
                float gradient = (clipped ? 0f : contribution) * coefficient;
                if (a.Divergence >= 0)
                {
                    KullbackLeiblerKind kind = (KullbackLeiblerKind)a.Divergence;
                    float reference = a.Reference[at];
                    float value = KullbackLeiblerEstimator.Of(kind, current, reference);
                    float derivative = KullbackLeiblerEstimator.Derivative(kind, current, reference);
                    divergence += mask != 0 ? value : 0f;
                    gradient += mask != 0 ? share * derivative : 0f;
                }

                a.Gradient[at] = gradient;
            }

            policy = StripeSums.HalveAcrossLanes(policy);
            divergence = StripeSums.HalveAcrossLanes(divergence);
            if (Group.IdxX == 0)
            {
                a.Terms[row] = coefficient * policy;
                a.Terms[a.Rollouts + row] = coefficient * divergence;
            }
        }
    }

    /// <summary>What the kernel works on.</summary>
    internal readonly record struct KernelArguments
    {
        /// <summary>[rollouts, response].</summary>
        public ArrayView<float> Current { get; init; }

        /// <summary>[rollouts, response].</summary>
        public ArrayView<float> Old { get; init; }

        /// <summary>[rollouts, response].</summary>
        public ArrayView<float> Inference { get; init; }

        /// <summary>[rollouts, response]; empty without a divergence term.</summary>
        public ArrayView<float> Reference { get; init; }

        /// <summary>[rollouts, response].</summary>
        public ArrayView<byte> ResponseMask { get; init; }

        /// <summary>[rollouts].</summary>
        public ArrayView<float> Advantages { get; init; }

        /// <summary>[rollouts]: the aggregation's coefficients.</summary>
        public ArrayView<float> Coefficients { get; init; }

        /// <summary>[rollouts, response], written; may be Current.</summary>
        public ArrayView<float> Gradient { get; init; }

        /// <summary>[2, rollouts], written: coefficient times sum, of the policy and of the divergence.</summary>
        public ArrayView<float> Terms { get; init; }

        /// <summary>Responses.</summary>
        public int Rollouts { get; init; }

        /// <summary>The padded length.</summary>
        public int ResponseLength { get; init; }

        /// <summary>The estimator, or −1 for none.</summary>
        public int Divergence { get; init; }

        /// <summary>γ.</summary>
        public float DivergenceCoefficient { get; init; }

        /// <summary>log α.</summary>
        public float LowestLog { get; init; }

        /// <summary>log β.</summary>
        public float HighestLog { get; init; }

        /// <summary>1 − ε_lo.</summary>
        public float LowestRatio { get; init; }

        /// <summary>1 + ε_hi.</summary>
        public float HighestRatio { get; init; }

        /// <summary>c.</summary>
        public float DualClip { get; init; }
    }
}
