using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Verification;

/// <summary>
/// The taps that big cases hold instead of whole logits: the first R entries, log-sum-exp, arg max and the K best.
/// </summary>
internal static class LogitsComparison
{
    /// <summary>Compares whatever of these the case holds.</summary>
    /// <param name="prefix"><c>lm_head</c> or <c>mtp.0</c>.</param>
    /// <param name="logits">[batch, tokens, vocabulary].</param>
    /// <param name="golden">The case.</param>
    /// <param name="recorder">Takes the results.</param>
    /// <param name="origin">Where the logits come from.</param>
    /// <param name="underBFloat16">Whether the case ran in bfloat16.</param>
    /// <param name="nearTies">The near ties so far.</param>
    public static void Compare(
        string prefix,
        HostTensor<float> logits,
        GoldenCase golden,
        CaseRecorder recorder,
        Origin origin,
        bool underBFloat16,
        NearTies nearTies)
    {
        // Logits are bfloat16 numbers under bfloat16, however the case stores them; their log-sum-exp is not.
        TapComparison.Terms terms = new(underBFloat16, underBFloat16), afterTerms = new(false, underBFloat16);
        Origin whole = origin with { Gauge = null };
        Func<int, bool> skip = nearTies.IsBehind;
        foreach (TensorInfo tap in golden.File.Tensors)
        {
            if (!tap.Name.StartsWith(prefix + ".", StringComparison.Ordinal))
            {
                continue;
            }

            string kind = tap.Name[(prefix.Length + 1)..];
            if (!recorder.Wants(tap.Name, out _))
            {
                continue;
            }

            if (kind.StartsWith("logits_first", StringComparison.Ordinal))
            {
                float[] reference = golden.File.ReadAllSingle(tap);
                int width = reference.Length / Math.Max(1, logits.Rows);
                int shared = Math.Min(width, logits.Width);
                float[] ours =
                    [.. Enumerable.Range(0, logits.Rows).SelectMany(row => logits.Row(row)[..shared].ToArray())];
                recorder.Add(TapComparison.Compare(
                    tap.Name, ours, reference, [.. tap.Shape], index => index / width, skip, whole, terms));
            }
            else if (kind == "logsumexp")
            {
                float[] ours = [.. Enumerable.Range(0, logits.Rows).Select(row => LogSumExp(logits.Row(row)))];
                Origin after = Origin.Of(nameof(LogSoftmax), 2, [origin], null, 0, 0);
                float[] reference = golden.File.ReadAllSingle(tap);
                recorder.Add(TapComparison.Compare(
                    tap.Name, ours, reference, [.. tap.Shape], index => index, skip, after, afterTerms));
            }
            else if (kind == "argmax")
            {
                long[] ids = golden.File.ReadInt64(tap);
                recorder.Add(CompareRanks(tap.Name, logits, ids, 1, whole, underBFloat16, nearTies));
            }
            else if (IsBest(kind, ".ids"))
            {
                long[] ids = golden.File.ReadInt64(tap);
                int count = ids.Length / Math.Max(1, logits.Rows);
                recorder.Add(CompareRanks(tap.Name, logits, ids, count, whole, underBFloat16, nearTies));
            }
            else if (IsBest(kind, ".values"))
            {
                // Value by value at the reference's own ids: rank swaps of near ties do not show here.
                float[] reference = golden.File.ReadAllSingle(tap);
                long[]? ids = golden.Integers($"{tap.Name[..^".values".Length]}.ids");
                int count = reference.Length / Math.Max(1, logits.Rows);
                bool fits = ids is not null
                    && ids.Length == reference.Length
                    && ids.Length == logits.Rows * count
                    && ids.All(id => id >= 0 && id < logits.Width);
                float[] ours = fits ? [.. ids!.Select((id, index) => logits.Row(index / count)[(int)id])] : [];
                recorder.Add(TapComparison.Compare(
                    tap.Name, ours, reference, [.. tap.Shape], index => index / count, skip, whole, terms));
            }
        }
    }

    private static bool IsBest(string kind, string part) =>
        kind.StartsWith("top", StringComparison.Ordinal) && kind.EndsWith(part, StringComparison.Ordinal);

    private static float LogSumExp(ReadOnlySpan<float> logits)
    {
        (float maximum, float logSum) = LogSoftmax.Vectorised(logits);
        return maximum + logSum;
    }

    /// <summary>
    /// Our order of the vocabulary against the reference's: a place where the ids differ is a near tie when our two
    /// logits are closer than the budget for logits.
    /// </summary>
    private static TapResult CompareRanks(
        string name,
        HostTensor<float> logits,
        long[] ids,
        int count,
        Origin origin,
        bool underBFloat16,
        NearTies nearTies)
    {
        if (count == 0 || count > logits.Width || ids.Length != logits.Rows * count)
        {
            return TapComparison.Failure(
                name,
                origin,
                $"the case has {ids.Length} ids for {logits.Rows} tokens with {logits.Width} logits each");
        }

        long compared = 0, skipped = 0;
        int ties = 0;
        for (int row = 0; row < logits.Rows; row++)
        {
            if (nearTies.IsBehind(row))
            {
                skipped += count;
                continue;
            }

            float[] values = logits.Row(row).ToArray();
            int[] order = Best(values, count);
            double allowed = ErrorBudget.Swap(origin.Operations, values, underBFloat16);
            for (int rank = 0; rank < count; rank++)
            {
                compared++;
                long id = ids[(row * count) + rank];
                if (id == order[rank])
                {
                    continue;
                }

                // Written so that a NaN is an error and not a near tie.
                if (id < 0 || id >= values.Length || !(Math.Abs((double)values[id] - values[order[rank]]) <= allowed))
                {
                    string theirs = id >= 0 && id < values.Length ? TapComparison.Number(values[id]) : "out of range";
                    return TapComparison.Failure(
                        name,
                        origin,
                        string.Create(
                            CultureInfo.InvariantCulture,
                            $"token {row}, rank {rank}: our best is id {order[rank]} "
                                + $"({TapComparison.Number(values[order[rank]])}), published id {id} (ours {theirs})"));
                }

                ties++;
            }
        }

        return new TapResult
        {
            Tap = name,
            Operator = origin.Operator,
            Path = origin.Path,
            Compared = compared,
            BehindNearTie = skipped,
            Verdict = compared == 0 ? Verdict.NotChecked : Verdict.Passed,
            Note = ties == 0 ? string.Empty : $"{ties} near ties in the order",
        };
    }

    /// <summary>The largest values, best first; of equal ones the lower index first.</summary>
    /// <param name="values">The values.</param>
    /// <param name="count">How many.</param>
    /// <returns>Their indices.</returns>
    internal static int[] Best(float[] values, int count)
    {
        PriorityQueue<int, (float Value, int NegativeIndex)> best = new();
        for (int index = 0; index < values.Length; index++)
        {
            if (best.Count < count)
            {
                best.Enqueue(index, (values[index], -index));
            }
            else
            {
                best.EnqueueDequeue(index, (values[index], -index));
            }
        }

        int[] order = new int[best.Count];
        for (int rank = order.Length - 1; rank >= 0; rank--)
        {
            order[rank] = best.Dequeue();
        }

        return order;
    }
}
