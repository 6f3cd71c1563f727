using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Verification;

/// <summary>
/// Runs a decode case: a prompt, then greedy tokens one by one with the cache, with and without the MTP layer.
/// </summary>
/// <remarks>
/// Isolated: every step is fed the reference's tokens and the reference's cache of the steps before. Free: our own.
/// </remarks>
internal static class DecodeCase
{
    /// <summary>Runs.</summary>
    /// <param name="context">The case and where it goes.</param>
    public static void Run(CaseContext context)
    {
        GoldenCase golden = context.Golden;
        ModelConfiguration configuration = ModelCase.RequireConfiguration(golden);
        foreach (int layers in new[] { 0, 1 })
        {
            if (golden.Holds($"nextn{layers}.generated_ids"))
            {
                RunVariant(context, $"nextn{layers}", configuration with { NextTokenPredictionLayerCount = layers });
            }
        }

        RotaryCase.AddNote(context, configuration.Rotary);
    }

    private static void RunVariant(CaseContext context, string prefix, ModelConfiguration configuration)
    {
        GoldenCase golden = context.Golden;
        long[] prompt = golden.RequireIntegers("input_ids", out IReadOnlyList<long> shape);
        ModelCase.CheckIds(golden, prompt, shape, configuration);
        long[] goldenIds = golden.RequireIntegers($"{prefix}.generated_ids", out _);
        if (shape[0] != 1 || goldenIds.Length == 0)
        {
            throw new InvalidInputException(golden.File.Description, prefix, "a decode case holds one sequence and at least one step");
        }

        using IWeightSource owned = golden.OpenWeights(configuration);
        TimedWeightSource weights = new(owned);
        MeasuredOperators operators = context.Measured();
        RingFlashModel<float> model = new(
            configuration, new ModelWeights(weights, configuration, golden.Precision == "bfloat16"), operators);
        int steps = goldenIds.Length, total = prompt.Length + steps - 1, vocabulary = configuration.VocabularySize;
        KeyValueCache<float> cache = new(configuration, 1, total);
        long[]? positions = golden.Integers("position_ids"), mask = golden.Integers("attention_mask");
        ForwardInput Input(long[] fed, int past) => new(fed, 1)
        {
            // The prompt as the case gives it; generated tokens follow its last position and are never padding.
            Positions = positions is null ? null : past == 0 ? positions : [positions[^1] + past - prompt.Length + 1],
            AttentionMask = mask is null ? null : [.. mask, .. Enumerable.Repeat(1L, past + fed.Length - prompt.Length)],
        };
        ForwardResult<float> result = model.Forward(Input(prompt, 0), cache);
        // The origin of the prefill's logits stands for all steps: each passes the same operators.
        Origin origin = operators.OriginOf(result.Logits) with { Gauge = null };
        Compare(context, $"{prefix}.prefill.logits", result.Logits.Values, origin);

        HostTensor<float> stepLogits = new(1, steps, vocabulary);
        HostTensor<float>? multiTokenLogits = result.MultiTokenLogits is null ? null : new(1, steps, vocabulary);
        Origin multiTokenOrigin = result.MultiTokenLogits is null ? origin : operators.OriginOf(result.MultiTokenLogits) with { Gauge = null };
        long[] ids = new long[steps];
        for (int step = 0; step < steps; step++)
        {
            if (step > 0)
            {
                context.Report($"{prefix}: token {step + 1} of {steps}", (double)step / steps);
                if (context.Mode == VerifyMode.Isolated)
                {
                    FeedCache(golden, prefix, configuration, cache, prompt.Length + step - 1);
                }

                long fed = context.Mode == VerifyMode.Isolated ? goldenIds[step - 1] : ids[step - 1];
                result = model.Forward(Input([fed], prompt.Length + step - 1), cache);
            }

            result.Logits.Row(result.Logits.Rows - 1).CopyTo(stepLogits.Row(step));
            result.MultiTokenLogits?.Row(result.MultiTokenLogits.Rows - 1).CopyTo(multiTokenLogits!.Row(step));
            ids[step] = ArgMax(stepLogits.Row(step));
        }

        Compare(context, $"{prefix}.step_logits", stepLogits.Values, origin);
        if (multiTokenLogits is not null)
        {
            Compare(context, $"{prefix}.mtp.0.step_logits", multiTokenLogits.Values, multiTokenOrigin);
        }

        double[] gaps = Gaps(stepLogits);
        CompareGaps(context, $"{prefix}.top1_top2_gap", gaps, stepLogits, origin);
        CompareIds(context, $"{prefix}.generated_ids", ids, goldenIds, gaps, stepLogits, origin);
        CompareIds(context, $"{prefix}.sequence", [.. prompt, .. ids], [.. prompt, .. goldenIds], null, stepLogits, origin);
        CompareCache(context, prefix, configuration, cache, total, operators, origin);
        WithoutCache(context, prefix, model, [.. prompt, .. goldenIds], steps, origin);
        context.WeightTime += weights.Elapsed;
    }

    /// <summary>One pass over the whole sequence stands for every step without a cache: no token sees a later one.</summary>
    private static void WithoutCache(
        CaseContext context, string prefix, RingFlashModel<float> model, long[] sequence, int steps, Origin origin)
    {
        if (!context.Golden.Holds($"{prefix}.nocache.step_logits") && !context.Golden.Holds($"{prefix}.nocache.generated_ids"))
        {
            return;
        }

        long[]? positions = context.Golden.Integers("position_ids"), mask = context.Golden.Integers("attention_mask");
        ForwardResult<float> whole = model.Forward(new ForwardInput(sequence[..^1], 1)
        {
            RunMultiToken = false,
            Positions = positions is null ? null : [.. positions, .. Enumerable.Range(1, steps - 1).Select(step => positions[^1] + step)],
            AttentionMask = mask is null ? null : [.. mask, .. Enumerable.Repeat(1L, steps - 1)],
        });
        HostTensor<float> logits = new(1, steps, whole.Logits.Width);
        whole.Logits.Span[^logits.Values.Length..].CopyTo(logits.Span);
        Compare(context, $"{prefix}.nocache.step_logits", logits.Values, origin);
        long[] ids = [.. Enumerable.Range(0, steps).Select(step => (long)ArgMax(logits.Row(step)))];
        if (context.Golden.Integers($"{prefix}.nocache.generated_ids") is long[] goldenIds)
        {
            CompareIds(context, $"{prefix}.nocache.generated_ids", ids, goldenIds, Gaps(logits), logits, origin);
        }
    }

    private static void Compare(CaseContext context, string name, float[] ours, Origin origin)
    {
        if (context.Recorder.Wants(name, out TensorInfo? tap))
        {
            bool isBFloat16 = context.Golden.Precision == "bfloat16";
            TapComparison.Terms terms = new(tap.ElementType == ElementType.BFloat16, isBFloat16);
            int width = (int)tap.Shape[^1];
            context.Recorder.Add(TapComparison.Compare(
                name, ours, context.Golden.File.ReadAllSingle(tap), [.. tap.Shape], index => index / width, _ => false, origin, terms));
        }
    }

    private static void CompareGaps(
        CaseContext context, string name, double[] gaps, HostTensor<float> logits, Origin origin)
    {
        if (context.Recorder.Wants(name, out TensorInfo? tap))
        {
            // A gap is a difference of two logits: its error is relative to them, not to itself.
            double scale = logits.Values.Max(value => Math.Abs((double)value));
            bool isBFloat16 = context.Golden.Precision == "bfloat16";
            context.Recorder.Add(TapComparison.Compare(
                name,
                Array.ConvertAll(gaps, gap => (float)gap),
                context.Golden.File.ReadAllSingle(tap),
                [.. tap.Shape],
                index => index,
                _ => false,
                Origin.Of(origin.Operator, 2, [origin], null, 0, 0),
                new TapComparison.Terms(false, isBFloat16, scale)));
        }
    }

    /// <summary>Greedy tokens must be equal; where our two best logits are closer than the budget, it is a near tie.</summary>
    private static void CompareIds(
        CaseContext context,
        string name,
        long[] ours,
        long[] golden,
        double[]? gaps,
        HostTensor<float> logits,
        Origin origin)
    {
        if (!context.Recorder.Wants(name, out _))
        {
            return;
        }

        int first = Enumerable.Range(0, Math.Min(ours.Length, golden.Length)).FirstOrDefault(index => ours[index] != golden[index], -1);
        first = first < 0 && ours.Length != golden.Length ? Math.Min(ours.Length, golden.Length) : first;
        double allowed = 2 * ErrorBudget.LargestElement(origin.Operations) * logits.Values.Max(value => Math.Abs((double)value));
        bool nearTie = first >= 0 && gaps is not null && first < gaps.Length && gaps[first] <= allowed;
        context.Recorder.Add(first >= 0 && !nearTie
            ? TapComparison.Failure(name, origin, $"token {first}: ours {At(ours, first)}, published {At(golden, first)}")
            : new TapResult
            {
                Tap = name,
                Operator = origin.Operator,
                Path = origin.Path,
                Compared = first < 0 ? golden.Length : first,
                BehindNearTie = first < 0 ? 0 : golden.Length - first,
                Verdict = Verdict.Passed,
                Note = nearTie ? $"near tie at step {first}" : string.Empty,
            });
    }

    private static string At(long[] values, int index) =>
        index < values.Length ? values[index].ToString(System.Globalization.CultureInfo.InvariantCulture) : "nothing";

    private static void CompareCache(
        CaseContext context,
        string prefix,
        ModelConfiguration configuration,
        KeyValueCache<float> cache,
        int length,
        MeasuredOperators operators,
        Origin origin)
    {
        for (int layer = 0; layer < configuration.LayerCount + configuration.NextTokenPredictionLayerCount; layer++)
        {
            foreach ((string part, HostTensor<float> tensor) in new[] { ("key", cache.Keys(layer)), ("value", cache.Values(layer)) })
            {
                float[] held = [.. Enumerable.Range(0, tensor.Shape[0] * tensor.Shape[1]).SelectMany(head =>
                    tensor.Values.Skip(head * cache.Capacity * tensor.Width).Take(length * tensor.Width))];
                Origin ours = origin with { Operator = "KeyValueCache" };
                Compare(context, $"{prefix}.cache.layers.{layer}.{part}", held, ours);
            }
        }
    }

    /// <summary>Replaces what the cache holds before a position by the reference's cache, where the case has it.</summary>
    private static void FeedCache(
        GoldenCase golden, string prefix, ModelConfiguration configuration, KeyValueCache<float> cache, int length)
    {
        for (int layer = 0; layer < configuration.LayerCount + configuration.NextTokenPredictionLayerCount; layer++)
        {
            foreach ((string part, HostTensor<float> tensor) in new[] { ("key", cache.Keys(layer)), ("value", cache.Values(layer)) })
            {
                if (golden.File.TryGetTensor($"{prefix}.cache.layers.{layer}.{part}", out TensorInfo? tap))
                {
                    float[] values = golden.File.ReadAllSingle(tap);
                    int width = tensor.Width, heldTokens = (int)tap.Shape[2];
                    for (int head = 0; head < tensor.Shape[0] * tensor.Shape[1]; head++)
                    {
                        values.AsSpan(head * heldTokens * width, Math.Min(length, heldTokens) * width)
                            .CopyTo(tensor.Span[(head * cache.Capacity * width)..]);
                    }
                }
            }
        }
    }

    private static int ArgMax(ReadOnlySpan<float> logits)
    {
        int best = 0;
        for (int id = 1; id < logits.Length; id++)
        {
            best = logits[id] > logits[best] ? id : best;
        }

        return best;
    }

    private static double[] Gaps(HostTensor<float> logits)
    {
        double[] gaps = new double[logits.Rows];
        for (int step = 0; step < gaps.Length; step++)
        {
            float first = float.NegativeInfinity, second = float.NegativeInfinity;
            foreach (float logit in logits.Row(step))
            {
                (first, second) = logit > first ? (logit, first) : (first, Math.Max(second, logit));
            }

            gaps[step] = (double)first - second;
        }

        return gaps;
    }
}
