using System;
using System.Globalization;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Generation;

/// <summary>
/// The distribution that a token is drawn from: logits after penalties, temperature, top-k, top-p and min-p, in this
/// order.
/// </summary>
/// <remarks>
/// <para>Maths: l = penalised logits, m = max l; w[v] = exp((l[v] − m) / T). Top-k keeps v with l[v] ≥ the k-th
/// largest l. Top-p keeps v, of those left and in <see cref="LogitOrder"/>, while the w before it are less than p of
/// all of theirs. Min-p keeps v with w[v] ≥ p. Others get w = 0. P(v) = w[v] / Σ w. T = 0: w = 1 for the first in
/// <see cref="LogitOrder"/>, else 0.</para>
/// <para>Types: float32 for l and w with the exponential of the contract; sums of w in float64, one by one: for top-p
/// in <see cref="LogitOrder"/>, for Σ w and for drawing in rising id. So they are the same everywhere.</para>
/// <para>Special: a logit of −∞ has probability 0; NaN, +∞, or no finite logit at all is an error of the model's
/// weights.</para>
/// <para>Source: Hugging Face transformers generation/logits_process.py (RepetitionPenalty, Temperature, TopK, TopP,
/// MinP in this order, ties at the k-th kept); vLLM v1/sample (the same functions, min-p before top-k). Neither defines
/// which of equal logits top-p keeps.</para>
/// </remarks>
/// <param name="vocabulary">The number of tokens.</param>
internal sealed class TokenDistribution(int vocabulary)
{
    private readonly float[] weights = new float[vocabulary];
    private ulong[]? order;
    private double total;

    /// <summary>Becomes the distribution for given logits.</summary>
    /// <param name="logits">[vocabulary], read.</param>
    /// <param name="history">What penalties count.</param>
    /// <param name="options">The settings.</param>
    /// <exception cref="InvalidInputException">A logit is NaN or +∞, or none is finite.</exception>
    public void Set(ReadOnlySpan<float> logits, TokenHistory history, SamplingOptions options)
    {
        CheckLogits(logits);
        Span<float> w = weights;
        logits.CopyTo(w);
        history.Penalise(w, options);
        int best = 0;
        for (int id = 1; id < w.Length; id++)
        {
            best = w[id] > w[best] ? id : best;
        }

        float maximum = w[best];
        if (options.Temperature == 0)
        {
            w.Clear();
            w[best] = 1;
            total = 1;
            return;
        }

        bool cuts = (options.TopK > 0 && options.TopK < w.Length) || options.TopP < 1;
        if (cuts)
        {
            Order();
        }

        for (int id = 0; id < w.Length; id++)
        {
            w[id] = Exponential.Exp((w[id] - maximum) / options.Temperature);
        }

        if (cuts)
        {
            Cut(options);
        }

        total = 0;
        for (int id = 0; id < w.Length; id++)
        {
            w[id] = w[id] >= options.MinP ? w[id] : 0; // the largest weight is 1
            total += w[id];
        }
    }

    /// <summary>The probability of a token.</summary>
    /// <param name="id">The token.</param>
    /// <returns>[0, 1].</returns>
    public double Probability(int id) => weights[id] / total;

    /// <summary>Draws: the first token, by rising id, at which the sum of w exceeds u · Σ w.</summary>
    /// <param name="uniform">u, [0, 1).</param>
    /// <returns>A token of probability above 0.</returns>
    public int Draw(double uniform)
    {
        double sum = 0, goal = uniform * total;
        int last = 0;
        for (int id = 0; id < weights.Length; id++)
        {
            sum += weights[id];
            if (sum > goal)
            {
                return id;
            }

            last = weights[id] > 0 ? id : last;
        }

        return last; // u · Σ w was rounded up to Σ w
    }

    /// <summary>
    /// Draws from what a rejected draft leaves: max(0, P − Q), normalised, where this is P.
    /// </summary>
    /// <param name="draft">Q.</param>
    /// <param name="uniform">u, [0, 1).</param>
    /// <returns>A token of probability above 0.</returns>
    public int DrawBeyond(TokenDistribution draft, double uniform)
    {
        double left = 0;
        for (int id = 0; id < weights.Length; id++)
        {
            left += Math.Max(0, Probability(id) - draft.Probability(id));
        }

        double sum = 0, goal = uniform * left;
        int last = -1;
        for (int id = 0; id < weights.Length; id++)
        {
            double weight = Math.Max(0, Probability(id) - draft.Probability(id));
            sum += weight;
            if (sum > goal)
            {
                return id;
            }

            last = weight > 0 ? id : last;
        }

        // P = Q up to rounding rejects with a probability of rounding size and leaves nothing.
        return last >= 0 ? last : Draw(uniform);
    }

    /// <summary>Refuses logits that no distribution belongs to.</summary>
    /// <param name="logits">[vocabulary].</param>
    internal static void CheckLogits(ReadOnlySpan<float> logits)
    {
        bool anyFinite = false;
        foreach (float logit in logits)
        {
            if (!(logit < float.PositiveInfinity))
            {
                throw new InvalidInputException(
                    "model",
                    "logits",
                    string.Create(CultureInfo.InvariantCulture, $"hold {logit}; a weight is NaN, infinite or huge"));
            }

            anyFinite |= logit > float.NegativeInfinity;
        }

        if (!anyFinite)
        {
            throw new InvalidInputException("model", "logits", "are all -Infinity; a weight is infinite or huge");
        }
    }

    // Of the penalised logits, which the weights still are.
    private void Order()
    {
        order ??= new ulong[weights.Length];
        for (int id = 0; id < order.Length; id++)
        {
            order[id] = LogitOrder.Key(weights[id], id);
        }

        Array.Sort(order);
    }

    private void Cut(SamplingOptions options)
    {
        int kept = order!.Length;
        if (options.TopK > 0 && options.TopK < kept)
        {
            kept = options.TopK;
            while (kept < order.Length && order[kept] >> 32 == order[kept - 1] >> 32)
            {
                kept++;
            }
        }

        if (options.TopP < 1)
        {
            double all = 0, before = 0;
            for (int place = 0; place < kept; place++)
            {
                all += weights[LogitOrder.Id(order[place])];
            }

            int next = 0;
            while (next < kept && before < options.TopP * all)
            {
                before += weights[LogitOrder.Id(order[next++])];
            }

            kept = next;
        }

        for (int place = kept; place < order.Length; place++)
        {
            weights[LogitOrder.Id(order[place])] = 0;
        }
    }
}
