using System;
using System.Collections.Generic;

namespace RingFlash.Reference.Generation;

/// <summary>The tokens of a sequence as penalties count them.</summary>
internal sealed class TokenHistory
{
    private readonly HashSet<int> prompt;
    private readonly Dictionary<int, int> output = [];

    /// <summary>Starts with a prompt and no output.</summary>
    /// <param name="promptIds">The prompt.</param>
    public TokenHistory(IEnumerable<int> promptIds) => prompt = [.. promptIds];

    /// <summary>The output grows by a token.</summary>
    /// <param name="id">The token.</param>
    public void Add(int id) => output[id] = output.GetValueOrDefault(id) + 1;

    /// <summary>A token of the output was a draft only.</summary>
    /// <param name="id">The token.</param>
    public void Remove(int id)
    {
        if (output[id] == 1)
        {
            output.Remove(id);
        }
        else
        {
            output[id]--;
        }
    }

    /// <summary>
    /// Repetition penalty r, then frequency penalty f, then presence penalty s, each in float32: a logit l above 0
    /// becomes l / r and any other l · r, for tokens of prompt or output; then l − f · count and l − s for tokens of
    /// the output.
    /// </summary>
    /// <param name="logits">[vocabulary], changed.</param>
    /// <param name="options">The penalties.</param>
    public void Penalise(Span<float> logits, SamplingOptions options)
    {
        float repetition = options.RepetitionPenalty;
        if (repetition == 1 && options.FrequencyPenalty == 0 && options.PresencePenalty == 0)
        {
            return;
        }

        if (repetition != 1)
        {
            foreach (int id in prompt)
            {
                logits[id] = Repeated(logits[id], repetition);
            }
        }

        foreach ((int id, int count) in output)
        {
            if (repetition != 1 && !prompt.Contains(id))
            {
                logits[id] = Repeated(logits[id], repetition);
            }

            logits[id] -= options.FrequencyPenalty * count;
            logits[id] -= options.PresencePenalty;
        }
    }

    private static float Repeated(float logit, float penalty) => logit > 0 ? logit / penalty : logit * penalty;
}
