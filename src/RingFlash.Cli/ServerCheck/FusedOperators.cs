using System;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Cli.ServerCheck;

/// <summary>
/// bfloat16 as fused kernels round: norm, rotation, attention, SwiGLU and the sum over experts compute in float32 and
/// round once at their end, where the published code also rounds in between. Neither is wrong, so the distance of the
/// two is part of the noise of bfloat16.
/// </summary>
/// <param name="workers">The threads.</param>
internal sealed class FusedOperators(WorkerPool workers)
    : Float32Operators<BFloat16Precision>(ExecutionEngine.Vector512, workers)
{
    private readonly Float32Operators<Float32Precision> wide = new(ExecutionEngine.Vector512, workers);

    /// <inheritdoc/>
    public override string PrecisionName => "bfloat16, fused";

    /// <inheritdoc/>
    public override HostTensor<float> RmsNorm(HostTensor<float> x, float[] weight, float epsilon) =>
        Round(wide.RmsNorm(x, weight, epsilon));

    /// <inheritdoc/>
    public override HostTensor<float> RotaryEmbedding(
        HostTensor<float> x, HostTensor<float> cosine, HostTensor<float> sine) =>
        Round(wide.RotaryEmbedding(x, cosine, sine));

    /// <inheritdoc/>
    public override HostTensor<float> CausalAttention(
        AttentionShape shape,
        HostTensor<float> query,
        HostTensor<float> keys,
        HostTensor<float> values,
        byte[] visible,
        HostTensor<float>? weights) =>
        Round(wide.CausalAttention(shape, query, keys, values, visible, weights));

    /// <inheritdoc/>
    public override HostTensor<float> ExpertCombine(HostTensor<float> expertOutputs, RouterDecision<float> decision) =>
        Round(wide.ExpertCombine(expertOutputs, decision));

    /// <inheritdoc/>
    public override HostTensor<float> SwiGlu(HostTensor<float> gate, HostTensor<float> up) =>
        Round(wide.SwiGlu(gate, up));

    private static HostTensor<float> Round(HostTensor<float> tensor)
    {
        foreach (ref float value in tensor.Span)
        {
            value = BFloat16.Round(value);
        }

        return tensor;
    }
}
