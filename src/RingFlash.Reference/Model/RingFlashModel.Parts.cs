using System;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Model;

/// <content>
/// The parts of a forward pass one by one, without a cache, on values that come from elsewhere: what comparing another
/// program's results needs. The code is that of a whole pass.
/// </content>
public sealed partial class RingFlashModel<T>
{
    /// <summary>The embeddings.</summary>
    /// <param name="input">Tokens.</param>
    /// <param name="trace">Sees <c>model.word_embeddings.output</c>; null for none.</param>
    /// <returns>[batch, tokens, hidden].</returns>
    public HostTensor<T> RunEmbedding(ForwardInput input, ForwardTrace<T>? trace = null)
    {
        ArgumentNullException.ThrowIfNull(input);
        CheckLengths(input, null);
        HostTensor<T> embeddings = operators.TokenEmbedding(input.Ids, input.Batch, weights.WordEmbeddings);
        trace?.Tap("model.word_embeddings.output", embeddings);
        return embeddings;
    }

    /// <summary>One decoder layer.</summary>
    /// <param name="layer">0 … layers − 1.</param>
    /// <param name="hiddenStates">[batch, tokens, hidden], what the layer is fed.</param>
    /// <param name="input">Positions and mask.</param>
    /// <param name="trace">Sees the layer's taps, its output last, and the rotary tables first; null for none.</param>
    /// <returns>[batch, tokens, hidden].</returns>
    public HostTensor<T> RunLayer(
        int layer, HostTensor<T> hiddenStates, ForwardInput input, ForwardTrace<T>? trace = null)
    {
        ArgumentNullException.ThrowIfNull(input);
        CheckLengths(input, null);
        weights.Residency?.EnterLayer(layer);
        HostTensor<T> output =
            DecoderLayer(hiddenStates, layer, weights.Layer(layer), Begin(input, null, trace));
        trace?.Tap($"model.layers.{layer}.output", output);
        return output;
    }

    /// <summary>The final norm and the language-model head.</summary>
    /// <param name="hiddenStates">[batch, tokens, hidden], the last layer's output.</param>
    /// <param name="input">Which rows get logits.</param>
    /// <param name="trace">Sees <c>model.norm.output</c> and <c>lm_head.output</c>; null for none.</param>
    /// <returns>[batch, tokens or 1, vocabulary].</returns>
    public HostTensor<T> RunHead(HostTensor<T> hiddenStates, ForwardInput input, ForwardTrace<T>? trace = null)
    {
        ArgumentNullException.ThrowIfNull(input);
        HostTensor<T> normalised = FinalNorm(hiddenStates, trace);
        weights.Residency?.EnterHead();
        HostTensor<T> logits = Logits(normalised, input);
        trace?.Tap("lm_head.output", logits);
        return logits;
    }
}
