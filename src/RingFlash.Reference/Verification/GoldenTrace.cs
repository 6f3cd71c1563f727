using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Verification;

/// <summary>
/// Compares every tap of a forward pass with the reference as it passes by. Isolated: the reference's values then
/// replace ours, so the next operator starts from them. Free: ours go on.
/// </summary>
internal sealed class GoldenTrace : ForwardTrace<float>
{
    private readonly GoldenCase golden;
    private readonly CaseRecorder recorder;
    private readonly MeasuredOperators operators;
    private readonly VerifyMode mode;
    private readonly Action<string> onTap;
    private readonly NearTies nearTies;
    private readonly bool underBFloat16;
    private HostTensor<float>? scores;

    /// <summary>Starts a pass.</summary>
    /// <param name="golden">The case.</param>
    /// <param name="recorder">Takes the results.</param>
    /// <param name="operators">Knows where tensors come from.</param>
    /// <param name="mode">Isolated or free.</param>
    /// <param name="input">What the pass is fed.</param>
    /// <param name="onTap">Told the name of every tap.</param>
    public GoldenTrace(
        GoldenCase golden,
        CaseRecorder recorder,
        MeasuredOperators operators,
        VerifyMode mode,
        ForwardInput input,
        Action<string> onTap)
    {
        this.golden = golden;
        this.recorder = recorder;
        this.operators = operators;
        this.mode = mode;
        this.onTap = onTap;
        nearTies = new NearTies(input.Batch, input.Tokens, input.AttentionMask);
        underBFloat16 = golden.Precision == "bfloat16";
    }

    /// <inheritdoc/>
    public override bool Wants(string name) => golden.Holds(name);

    /// <inheritdoc/>
    public override void Tap(string name, HostTensor<float> tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        onTap(name);
        if (name.EndsWith(".input_layernorm.output", StringComparison.Ordinal))
        {
            nearTies.EnterLayer();
        }

        if (name.EndsWith(".gate.scores", StringComparison.Ordinal))
        {
            scores = new HostTensor<float>(tensor.Shape.ToArray());
            tensor.Span.CopyTo(scores.Span);
        }

        if (name is "lm_head.output" or "mtp.0.logits")
        {
            string prefix = name[..name.LastIndexOf('.')];
            LogitsComparison.Compare(
                prefix, tensor, golden, recorder, operators.OriginOf(tensor), underBFloat16, nearTies);
        }

        if (!golden.File.TryGetTensor(name, out TensorInfo? tap))
        {
            return;
        }

        if (recorder.Wants(name, out _))
        {
            recorder.Add(
                CompareTap(name, tensor.Span, tap, tensor, operators.OriginOf(tensor), null, nearTies.IsBehind));
        }

        if (mode == VerifyMode.Isolated && tap.ElementCount == tensor.Values.Length)
        {
            golden.File.ReadAllSingle(tap).CopyTo(tensor.Values.AsSpan());
            operators.SetReference(tensor);
        }
    }

    /// <inheritdoc/>
    public override void TapDecision(string name, RouterDecision<float> decision)
    {
        onTap(name);
        long[]? indices = ReadChoice(name, decision);
        float[]? margins = Floats($"{name}.margin");
        float[]? weights = Floats($"{name}.topk_weight");
        bool isReplaced = mode == VerifyMode.Isolated && indices is not null && weights is not null;
        Func<int, bool> skip = nearTies.IsBehind;
        if (indices is not null)
        {
            recorder.MarkSeen($"{name}.topk_idx");
            int expertsPerGroup = golden.Configuration!.ExpertsPerGroup;
            RoutingComparison routing =
                new(decision, indices, margins, ScoreErrors(name, decision), expertsPerGroup, nearTies);
            if (!isReplaced)
            {
                routing.LeaveOutWhatFollows(nearTies);
            }

            if (recorder.Wants($"{name}.topk_idx", out _))
            {
                recorder.Add(routing.Result(name));
            }

            skip = token => nearTies.IsBehind(token) || !routing.HasSameExperts(token);
            if (recorder.Wants($"{name}.topk_weight", out TensorInfo? weightTap))
            {
                // The weights are matched by expert: two nearly equal scores may come in either order.
                Origin origin = operators.OriginOf(decision.TopKWeights);
                float[]? gauge = origin.Gauge?.Invoke().Values;
                recorder.Add(CompareTap(
                    $"{name}.topk_weight",
                    routing.InReferenceOrder(decision.TopKWeights.Values),
                    weightTap,
                    decision.TopKWeights,
                    gauge is null ? origin : origin with
                    {
                        Gauge = () => Like(decision.TopKWeights, routing.InReferenceOrder(gauge)),
                    },
                    null,
                    skip));
            }
        }

        if (recorder.Wants($"{name}.margin", out TensorInfo? marginTap))
        {
            Origin origin = operators.OriginOf(decision.Margins);
            recorder.Add(
                CompareTap($"{name}.margin", decision.Margins.Span, marginTap, decision.Margins, origin, 1, skip));
        }

        if (isReplaced)
        {
            Array.ConvertAll(indices!, index => (int)index).CopyTo(decision.TopKIndices, 0);
            weights!.CopyTo(decision.TopKWeights.Values, 0);
            operators.SetReference(decision.TopKWeights);
        }

        scores = null;
    }

    /// <summary>
    /// The reference's experts, after checking that everything it says of the choice fits this model.
    /// </summary>
    private long[]? ReadChoice(string name, RouterDecision<float> decision)
    {
        int tokens = decision.TopKWeights.Rows, experts = golden.Configuration!.ExpertCount;
        string choice = $"{name}.topk_idx";
        golden.CheckShape(choice, tokens, decision.TopK);
        golden.CheckShape($"{name}.topk_weight", tokens, decision.TopK);
        golden.CheckShape($"{name}.margin", tokens);
        long[]? indices = golden.Integers(choice);
        golden.CheckValues(
            choice, indices, index => index >= 0 && index < experts, $"an expert is one of 0 … {experts - 1}");
        return indices;
    }

    private TapResult CompareTap(
        string name,
        ReadOnlySpan<float> ours,
        TensorInfo tap,
        HostTensor<float> tensor,
        Origin origin,
        double? scale,
        Func<int, bool> skip)
    {
        if (tensor.Values.Length == 1)
        {
            // A loss: a mean over all tokens, so one near tie spoils it.
            skip = _ => nearTies.Any;
        }

        // mtp.0.logits of a bfloat16 case are bfloat16 numbers too, widened for the loss.
        bool isBFloat16 = tap.ElementType == ElementType.BFloat16 || (underBFloat16 && origin.RoundingPoints > 0);
        TapComparison.Terms terms = new(isBFloat16, underBFloat16, scale);
        return TapComparison.Compare(
            name, ours, golden.File.ReadAllSingle(tap), [.. tap.Shape], nearTies.TokenOf(tensor), skip, origin, terms);
    }

    /// <summary>
    /// For each token, how far our biased scores are from the reference's: the error that reached the router.
    /// </summary>
    private double[] ScoreErrors(string name, RouterDecision<float> decision)
    {
        int tokens = decision.TopKWeights.Rows;
        double[] errors = new double[tokens];
        Array.Fill(errors, 4 * ErrorBudget.Float32Roundoff);
        float[]? reference = Floats($"{name}.scores");
        float[]? logits = Floats($"{name}.logits");
        reference ??= logits is null ? null : Array.ConvertAll(logits, Sigmoid.Apply);
        if (reference is null || scores is null || reference.Length != scores.Values.Length)
        {
            // Nothing to measure against: what the budget allows.
            Array.Fill(errors, ErrorBudget.LargestElement(operators.OriginOf(decision.TopKWeights).Operations));
            return errors;
        }

        if (mode == VerifyMode.Isolated && golden.Holds($"{name}.scores"))
        {
            return errors; // the choice was made from the reference's own scores
        }

        for (int index = 0; index < reference.Length; index++)
        {
            int token = index / scores.Width;
            errors[token] = Math.Max(errors[token], Math.Abs((double)scores.Values[index] - reference[index]));
        }

        return errors;
    }

    private float[]? Floats(string name) =>
        golden.File.TryGetTensor(name, out TensorInfo? tensor) ? golden.File.ReadAllSingle(tensor) : null;

    private static HostTensor<float> Like(HostTensor<float> tensor, float[] values)
    {
        HostTensor<float> result = new(tensor.Shape.ToArray());
        values.CopyTo(result.Values, 0);
        return result;
    }
}
