using System;
using System.Collections.Generic;
using System.Globalization;
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
        bool isIsolated = context.Mode == VerifyMode.Isolated;
        long[] prompt = golden.RequireIntegers("input_ids", out IReadOnlyList<long> shape);
        ModelCase.CheckIds(golden, prompt, shape, configuration);
        long[] goldenIds = golden.RequireIntegers($"{prefix}.generated_ids", out _);
        ModelCase.CheckVocabulary(golden, $"{prefix}.generated_ids", goldenIds, configuration);
        if (shape[0] != 1 || goldenIds.Length == 0)
        {
            throw new InvalidInputException(
                golden.File.Description, prefix, "a decode case holds one sequence and at least one step");
        }

        using IWeightSource owned = golden.OpenWeights(configuration);
        TimedWeightSource weights = new(owned);
        TensorCatalog.Check(configuration, weights);
        MeasuredOperators operators = context.Measured();
        int steps = goldenIds.Length, total = prompt.Length + steps - 1, vocabulary = configuration.VocabularySize;
        ModelWeights modelWeights = new(weights, configuration, golden.Precision == "bfloat16");
        using WeightResidency? residency =
            context.KeepWeights(modelWeights, configuration, batch: 1, total, cacheCapacity: total);
        RingFlashModel<float> model = new(configuration, modelWeights, operators);
        KeyValueCache<float> cache = new(configuration, 1, total), computed = new(configuration, 1, total);
        CachedTap[] cached = CachedTaps(golden, prefix, configuration, total);
        long[]? positions = ModelCase.Aligned(golden, "position_ids", shape), mask = ModelCase.Mask(golden, shape);
        ForwardResult<float> Forward(long[] fed, int past)
        {
            ForwardInput input = new(fed, 1)
            {
                // The prompt as the case gives it; generated tokens follow its last position and are never padding.
                Positions = positions is null ? null
                    : past == 0 ? positions
                    : [positions[^1] + past - prompt.Length + 1],
                AttentionMask = mask is null
                    ? null
                    : [.. mask, .. Enumerable.Repeat(1L, past + fed.Length - prompt.Length)],
            };
            ForwardResult<float> step = model.Forward(input, cache);
            foreach (CachedTap tap in cached)
            {
                Copy(tap.Of(cache), tap.Of(computed), past, fed.Length); // before the reference's replace them
            }

            return step;
        }

        ForwardResult<float> result = Forward(prompt, 0);

        // The origin of the prefill's logits stands for all steps: each passes the same operators.
        Origin origin = operators.OriginOf(result.Logits) with { Gauge = null };
        int RowOf(int index) => index / vocabulary;
        Compare(context, $"{prefix}.prefill.logits", result.Logits.Values, origin, RowOf, _ => false);

        HostTensor<float> stepLogits = new(1, steps, vocabulary);
        HostTensor<float>? multiTokenLogits = result.MultiTokenLogits is null ? null : new(1, steps, vocabulary);
        Origin multiTokenOrigin = result.MultiTokenLogits is null
            ? origin
            : operators.OriginOf(result.MultiTokenLogits) with { Gauge = null };
        long[] ids = new long[steps];
        for (int step = 0; step < steps; step++)
        {
            if (step > 0)
            {
                context.Report($"{prefix}: token {step + 1} of {steps}", (double)step / steps);
                int past = prompt.Length + step - 1;
                if (isIsolated)
                {
                    FeedCache(golden, cached, cache, past);
                }

                result = Forward([isIsolated ? goldenIds[step - 1] : ids[step - 1]], past);
            }

            result.Logits.Row(result.Logits.Rows - 1).CopyTo(stepLogits.Row(step));
            result.MultiTokenLogits?.Row(result.MultiTokenLogits.Rows - 1).CopyTo(multiTokenLogits!.Row(step));
            ids[step] = ArgMax(stepLogits.Row(step));
        }

        // Free: behind a greedy token that went the other way by a near tie, another text is continued.
        Choices choices = new(ids, stepLogits, origin, golden.Precision == "bfloat16", FollowsItself: !isIsolated);
        int tie = choices.FirstDifference(goldenIds) is int first && choices.FollowsItself
            && choices.IsNearTie(first, goldenIds[first])
                ? first
                : steps;
        bool BehindTie(int step) => step > tie;
        Compare(context, $"{prefix}.step_logits", stepLogits.Values, origin, RowOf, BehindTie);
        if (multiTokenLogits is not null)
        {
            string name = $"{prefix}.mtp.0.step_logits";
            Compare(context, name, multiTokenLogits.Values, multiTokenOrigin, RowOf, BehindTie);
        }

        CompareGaps(context, $"{prefix}.top1_top2_gap", stepLogits, origin, BehindTie);
        CompareIds(context, $"{prefix}.generated_ids", [], choices);
        CompareIds(context, $"{prefix}.sequence", prompt, choices);
        foreach (CachedTap tap in cached)
        {
            HostTensor<float> held = tap.Of(computed);
            Origin cachedOrigin = origin with { Operator = "KeyValueCache" };
            Compare(
                context,
                tap.Name,
                held.Values,
                cachedOrigin,
                index => index / held.Width % total,
                token => token >= prompt.Length && BehindTie(token - prompt.Length));
        }

        WithoutCache(context, prefix, model, prompt, goldenIds, positions, mask, origin);
        context.WeightTime += weights.Elapsed;
    }

    /// <summary>
    /// One pass over the whole sequence stands for every step without a cache: no token sees a later one.
    /// </summary>
    private static void WithoutCache(
        CaseContext context,
        string prefix,
        RingFlashModel<float> model,
        long[] prompt,
        long[] goldenIds,
        long[]? positions,
        long[]? mask,
        Origin origin)
    {
        GoldenCase golden = context.Golden;
        string logitsName = $"{prefix}.nocache.step_logits", idsName = $"{prefix}.nocache.generated_ids";
        if (!golden.Holds(logitsName) && !golden.Holds(idsName))
        {
            return;
        }

        int steps = goldenIds.Length;
        ForwardResult<float> whole = model.Forward(new ForwardInput([.. prompt, .. goldenIds[..^1]], 1)
        {
            RunMultiToken = false,
            Positions = positions is null
                ? null
                : [.. positions, .. Enumerable.Range(1, steps - 1).Select(step => positions[^1] + step)],
            AttentionMask = mask is null ? null : [.. mask, .. Enumerable.Repeat(1L, steps - 1)],
        });
        HostTensor<float> logits = new(1, steps, whole.Logits.Width);
        whole.Logits.Span[^logits.Values.Length..].CopyTo(logits.Span);
        Compare(context, logitsName, logits.Values, origin, index => index / logits.Width, _ => false);
        long[] ids = [.. Enumerable.Range(0, steps).Select(step => (long)ArgMax(logits.Row(step)))];
        Choices choices = new(ids, logits, origin, golden.Precision == "bfloat16", FollowsItself: false);
        CompareIds(context, idsName, [], choices);
    }

    private static void Compare(
        CaseContext context,
        string name,
        float[] ours,
        Origin origin,
        Func<int, int> tokenOf,
        Func<int, bool> skip)
    {
        if (context.Recorder.Wants(name, out TensorInfo? tap))
        {
            bool isBFloat16 = context.Golden.Precision == "bfloat16";
            TapComparison.Terms terms = new(tap.ElementType == ElementType.BFloat16, isBFloat16);
            float[] golden = context.Golden.File.ReadAllSingle(tap);
            context.Recorder.Add(
                TapComparison.Compare(name, ours, golden, [.. tap.Shape], tokenOf, skip, origin, terms));
        }
    }

    private static void CompareGaps(
        CaseContext context, string name, HostTensor<float> logits, Origin origin, Func<int, bool> skip)
    {
        if (context.Recorder.Wants(name, out TensorInfo? tap))
        {
            // A gap is a difference of two logits: its error is relative to them, not to itself.
            double scale = logits.Values.Max(value => Math.Abs((double)value));
            bool isBFloat16 = context.Golden.Precision == "bfloat16";
            context.Recorder.Add(TapComparison.Compare(
                name,
                Array.ConvertAll(Gaps(logits), gap => (float)gap),
                context.Golden.File.ReadAllSingle(tap),
                [.. tap.Shape],
                index => index,
                skip,
                Origin.Of(origin.Operator, 2, [origin], null, 0, 0),
                new TapComparison.Terms(false, isBFloat16, scale)));
        }
    }

    /// <summary>
    /// Greedy tokens must be equal, unless our logits of both are closer than the budget: a near tie. Whoever goes on
    /// with its own tokens cannot be compared behind one.
    /// </summary>
    private static void CompareIds(CaseContext context, string name, long[] prompt, Choices choices)
    {
        if (!context.Recorder.Wants(name, out TensorInfo? tap))
        {
            return;
        }

        long[] ours = [.. prompt, .. choices.Ids], golden = context.Golden.File.ReadInt64(tap);
        Origin origin = choices.Origin;
        List<int> ties = [];
        int compared = 0;
        while (compared < Math.Max(ours.Length, golden.Length) && !(ties.Count > 0 && choices.FollowsItself))
        {
            string mine = At(ours, compared), theirs = At(golden, compared);
            int step = compared - prompt.Length;
            if (mine == theirs)
            {
                compared++;
            }
            else if (step >= 0 && step < choices.Ids.Length && compared < golden.Length
                && choices.IsNearTie(step, golden[compared]))
            {
                ties.Add(step);
                compared++;
            }
            else
            {
                context.Recorder.Add(TapComparison.Failure(
                    name, origin, $"token {compared}: ours {mine}, published {theirs}"));
                return;
            }
        }

        context.Recorder.Add(new TapResult
        {
            Tap = name,
            Operator = origin.Operator,
            Path = origin.Path,
            Compared = compared,
            BehindNearTie = golden.Length - compared,
            Verdict = Verdict.Passed,
            Note = ties.Count == 0 ? string.Empty : $"near ties at steps {string.Join(", ", ties)}",
        });
    }

    private static string At(long[] values, int index) =>
        index < values.Length ? values[index].ToString(CultureInfo.InvariantCulture) : "nothing";

    /// <summary>The caches that the case holds.</summary>
    private static CachedTap[] CachedTaps(
        GoldenCase golden, string prefix, ModelConfiguration configuration, int length)
    {
        List<CachedTap> taps = [];
        int layers = configuration.LayerCount + configuration.NextTokenPredictionLayerCount;
        for (int layer = 0; layer < layers; layer++)
        {
            foreach (bool isKey in new[] { true, false })
            {
                CachedTap tap = new($"{prefix}.cache.layers.{layer}.{(isKey ? "key" : "value")}", layer, isKey);
                golden.CheckShape(tap.Name, 1, configuration.KeyValueHeadCount, length, configuration.HeadDimension);
                if (golden.Holds(tap.Name))
                {
                    taps.Add(tap);
                }
            }
        }

        return [.. taps];
    }

    /// <summary>
    /// Replaces what the cache holds before a position by the reference's cache, where the case has it.
    /// </summary>
    private static void FeedCache(GoldenCase golden, CachedTap[] taps, KeyValueCache<float> cache, int length)
    {
        foreach (CachedTap tap in taps)
        {
            HostTensor<float> held = tap.Of(cache), reference = new(held.Shape.ToArray());
            golden.File.ReadAllSingle(golden.File.RequireTensor(tap.Name)).CopyTo(reference.Span);
            Copy(reference, held, 0, length);
        }
    }

    /// <summary>Copies some tokens of every head from one cache to the same place of another.</summary>
    private static void Copy(HostTensor<float> source, HostTensor<float> destination, int firstToken, int tokens)
    {
        int width = source.Width, perHead = source.Shape[2] * width;
        for (int start = firstToken * width; start < source.Values.Length; start += perHead)
        {
            source.Span.Slice(start, tokens * width).CopyTo(destination.Span[start..]);
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

    /// <summary>Keys or values of one layer in the case.</summary>
    private sealed record CachedTap(string Name, int Layer, bool IsKey)
    {
        public HostTensor<float> Of(KeyValueCache<float> cache) => IsKey ? cache.Keys(Layer) : cache.Values(Layer);
    }

    /// <summary>Our greedy tokens, and the logits that they were chosen by.</summary>
    private sealed record Choices(
        long[] Ids, HostTensor<float> Logits, Origin Origin, bool UnderBFloat16, bool FollowsItself)
    {
        public int? FirstDifference(long[] golden) =>
            Enumerable.Range(0, Ids.Length)
                .Where(step => Ids[step] != golden[step])
                .Select(step => (int?)step)
                .FirstOrDefault();

        public bool IsNearTie(int step, long goldenId)
        {
            Span<float> logits = Logits.Row(step);
            return goldenId >= 0
                && goldenId < logits.Length
                && (double)logits[(int)Ids[step]] - logits[(int)goldenId]
                    <= ErrorBudget.Swap(Origin.Operations, logits, UnderBFloat16);
        }
    }
}
