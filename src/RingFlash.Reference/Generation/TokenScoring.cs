using System;
using System.Collections.Generic;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Generation;

/// <summary>
/// Log-probabilities as people ask for them: raw, that is of the model alone before penalties and temperature, which is
/// vLLM's default <c>raw_logprobs</c>. <c>logprob[v] = (logits[v] − m) − L</c>; see <see cref="LogSoftmax"/>.
/// </summary>
internal static class TokenScoring
{
    /// <summary>Scores a token.</summary>
    /// <param name="logits">[vocabulary], at the place before the token.</param>
    /// <param name="id">The token.</param>
    /// <param name="count">How many of the most likely ones are told; −1 for all.</param>
    /// <returns>The score.</returns>
    public static TokenScore Of(ReadOnlySpan<float> logits, int id, int count)
    {
        TokenDistribution.CheckLogits(logits);
        (float maximum, float logSum) = LogSoftmax.Normaliser(ExecutionEngine.Vector512, logits);
        ulong own = LogitOrder.Key(logits[id], id);
        int rank = 1;
        for (int other = 0; other < logits.Length; other++)
        {
            rank += LogitOrder.Key(logits[other], other) < own ? 1 : 0;
        }

        ulong[] best = Best(logits, count < 0 ? logits.Length : count);
        ScoredToken[] top = new ScoredToken[best.Length];
        for (int place = 0; place < top.Length; place++)
        {
            int other = LogitOrder.Id(best[place]);
            top[place] = new ScoredToken(other, logits[other] - maximum - logSum, place + 1);
        }

        return new TokenScore(new ScoredToken(id, logits[id] - maximum - logSum, rank), top);
    }

    private static ulong[] Best(ReadOnlySpan<float> logits, int count)
    {
        if (count == 0)
        {
            return [];
        }

        PriorityQueue<ulong, ulong> kept = new(Comparer<ulong>.Create((left, right) => right.CompareTo(left)));
        for (int id = 0; id < logits.Length; id++)
        {
            ulong key = LogitOrder.Key(logits[id], id);
            if (kept.Count < count)
            {
                kept.Enqueue(key, key);
            }
            else if (key < kept.Peek())
            {
                kept.EnqueueDequeue(key, key); // the worst of them leaves
            }
        }

        ulong[] best = new ulong[kept.Count];
        for (int place = best.Length - 1; place >= 0; place--)
        {
            best[place] = kept.Dequeue();
        }

        return best;
    }
}
