using System;
using ILGPU;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Model;

/// <content>Attention, the router and the loss.</content>
public sealed partial class DeviceOperators<TPrecision>
{
    /// <summary>
    /// The float32 of scores that attention keeps at a time, 256 MiB: a prompt of 4096 tokens takes a few launches.
    /// </summary>
    private const long MostScores = 64L << 20;

    /// <inheritdoc/>
    public override HostTensor<float> RotaryEmbedding(
        HostTensor<float> x, HostTensor<float> cosine, HostTensor<float> sine)
    {
        ArgumentNullException.ThrowIfNull(cosine);
        HostTensor<float> y = ResultLike(x);
        Operators.RotaryEmbedding.Launch<TPrecision>(
            host, Read(x), x.Shape[1], x.Shape[2], x.Width, Read(cosine), Read(sine), cosine.Width, Write(y));
        return y;
    }

    /// <inheritdoc/>
    public override HostTensor<float> CausalAttention(
        AttentionShape shape,
        HostTensor<float> query,
        HostTensor<float> keys,
        HostTensor<float> values,
        byte[] visible,
        HostTensor<float>? weights)
    {
        ArgumentNullException.ThrowIfNull(visible);
        HostTensor<float> context = Result<float>(shape.Batch, shape.QueryTokens, shape.Heads * shape.HeadDim);
        ArrayView<byte> mask = default;
        if (visible.Length > 0)
        {
            HostTensor<byte> places = Result<byte>(visible.Length);
            visible.CopyTo(places.Values, 0);
            mask = Read(places);
        }

        Operators.CausalAttention.Launch<TPrecision>(
            host,
            shape,
            Read(query),
            Read(keys),
            Read(values),
            mask,
            Write(context),
            weights is null ? default : Write(weights),
            Scratch(shape));
        return context;
    }

    /// <inheritdoc/>
    public override HostTensor<float> RouterScores(HostTensor<float> routerLogits)
    {
        HostTensor<float> scores = ResultLike(routerLogits);
        Operators.RouterScores.Launch(host, Read(routerLogits), Write(scores));
        return scores;
    }

    /// <inheritdoc/>
    public override RouterDecision<float> GroupLimitedTopK(
        HostTensor<float> scores, float[] expertBias, RouterShape shape)
    {
        ArgumentNullException.ThrowIfNull(scores);
        RouterDecision<float> decision = new(
            Result<int>(scores.Rows * shape.TopK),
            Result<float>(scores.Rows, shape.TopK),
            Result<float>(scores.Rows));
        bool isTraced = Arena is null; // nobody else reads the margins
        Operators.GroupLimitedTopK.Launch(
            host,
            shape,
            Read(scores),
            constants.Vector(expertBias),
            Write(decision.Indices),
            Write(decision.TopKWeights),
            isTraced ? Write(decision.Margins) : default);
        return decision;
    }

    /// <inheritdoc/>
    public override HostTensor<float> CrossEntropy(HostTensor<float> logits, long[] targets)
    {
        ArgumentNullException.ThrowIfNull(logits);
        ArgumentNullException.ThrowIfNull(targets);
        foreach (long target in targets)
        {
            // A kernel could not refuse it.
            if (target != Operators.CrossEntropy.IgnoreIndex)
            {
                ArgumentOutOfRangeException.ThrowIfNegative(target, nameof(targets));
                ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(target, logits.Width, nameof(targets));
            }
        }

        HostTensor<long> places = Result<long>(targets.Length);
        targets.CopyTo(places.Values, 0);
        HostTensor<float> loss = Result<float>(1);
        Operators.CrossEntropy.Launch(
            host,
            Read(logits),
            Read(places),
            Write(Result<float>(targets.Length)),
            Write(Result<float>(targets.Length)),
            Write(loss));
        return loss;
    }

    /// <summary>Room for the scores of as many tokens as the limit allows, kept from layer to layer.</summary>
    private ArrayView<float> Scratch(AttentionShape shape)
    {
        int tokens = shape.QueryTokens;
        while (tokens > 1 && Operators.CausalAttention.ScratchLength(shape, tokens) > MostScores)
        {
            tokens = (tokens + 1) / 2;
        }

        long length = Operators.CausalAttention.ScratchLength(shape, tokens);
        if (scratch is null || scratch.Count < length)
        {
            scratch = new HostTensor<float>(checked((int)Math.Max(length, 2L * (scratch?.Count ?? 0))));
        }

        return Write(scratch);
    }
}
