using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Model;

/// <summary>
/// Ring-flash-2.0 (bailing_moe_v2): the forward pass. Each line is one operator; the comment at its end gives the axes
/// of the result.
/// </summary>
/// <remarks>
/// <code>
/// ids → word_embeddings → [ decoder layer ] × 32 → norm → lm_head → logits
///                           │                        └→ MTP layer (with the embedding of the next token) → lm_head
///                           ├ h + attention(input_layernorm(h))
///                           └ h + feedForward(post_attention_layernorm(h))    dense in the first layers, else experts
/// </code>
/// <para>Source: inclusionAI/Ling-V2@af8837e models/modeling_bailing_moe_v2.py.</para>
/// </remarks>
/// <typeparam name="T">What activations are held in: float, or double for the oracle.</typeparam>
public sealed partial class RingFlashModel<T>
    where T : unmanaged, System.Numerics.INumber<T>
{
    private readonly ModelConfiguration configuration;
    private readonly ModelWeights weights;
    private readonly ForwardOperators<T> operators;
    private readonly RotaryTable rotaryTable;
    private readonly float epsilon;
    private readonly TensorArena arena = new();

    /// <summary>Brings configuration, weights and operators together.</summary>
    /// <param name="configuration">The configuration.</param>
    /// <param name="weights">The weights.</param>
    /// <param name="operators">Who computes.</param>
    public RingFlashModel(ModelConfiguration configuration, ModelWeights weights, ForwardOperators<T> operators)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        this.configuration = configuration;
        this.weights = weights;
        this.operators = operators;
        rotaryTable = RotaryTable.For(configuration.Rotary);
        epsilon = (float)configuration.RmsNormEpsilon;
    }

    /// <summary>Runs the model on new tokens, after those in the cache.</summary>
    /// <param name="input">Tokens, positions, mask, labels.</param>
    /// <param name="cache">Tokens so far; extended. Null to run without one.</param>
    /// <param name="trace">Sees every intermediate result; null for none.</param>
    /// <returns>Hidden states, logits, losses; valid until the next pass, but see there.</returns>
    public ForwardResult<T> Forward(ForwardInput input, KeyValueCache<T>? cache = null, ForwardTrace<T>? trace = null)
    {
        ArgumentNullException.ThrowIfNull(input);
        CheckLengths(input, cache);
        using ArenaScope scope = OpenArena(input, trace);
        return Run(input, Begin(input, cache, trace));
    }

    private ForwardResult<T> Run(ForwardInput input, in Pass pass)
    {
        ForwardTrace<T>? trace = pass.Trace;
        HostTensor<T> hiddenStates =
            operators.TokenEmbedding(input.Ids, input.Batch, weights.WordEmbeddings); // [batch, tokens, hidden]
        trace?.Tap("model.word_embeddings.output", hiddenStates);
        for (int layer = 0; layer < configuration.LayerCount; layer++)
        {
            pass.Cancellation.ThrowIfCancellationRequested();
            weights.Residency?.EnterLayer(layer);
            hiddenStates = DecoderLayer(hiddenStates, layer, weights.Layer(layer), pass); // [batch, tokens, hidden]
            trace?.Tap($"model.layers.{layer}.output", hiddenStates);
        }

        HostTensor<T> normalised = FinalNorm(hiddenStates, trace); // [batch, tokens, hidden]
        weights.Residency?.EnterHead();
        HostTensor<T> logits = Logits(normalised, input); // [batch, tokens or 1, vocabulary]
        trace?.Tap("lm_head.output", logits);

        HostTensor<T>? multiTokenLogits = weights.MultiToken is not null && input.RunMultiToken
            ? MultiTokenLogits(normalised, weights.MultiToken, pass) // [batch, tokens, vocabulary]
            : null;
        ForwardLosses? losses = input.Labels is null ? null : Losses(logits, multiTokenLogits, input, trace);
        return new ForwardResult<T>(normalised, logits, multiTokenLogits, losses);
    }

    private HostTensor<T> FinalNorm(HostTensor<T> hiddenStates, ForwardTrace<T>? trace)
    {
        HostTensor<T> normalised =
            operators.RmsNorm(hiddenStates, weights.FinalNorm, epsilon); // [batch, tokens, hidden]
        trace?.Tap("model.norm.output", normalised);
        return normalised;
    }

    private HostTensor<T> Logits(HostTensor<T> normalised, ForwardInput input)
    {
        if (input.LogitRows is [])
        {
            return operators.Result<T>(1, 0, configuration.VocabularySize); // a chunk in the middle of a prompt
        }

        HostTensor<T> headInput =
            input.LastLogitsOnly ? LastToken(normalised)
            : input.LogitRows is not null ? Rows(normalised, input.LogitRows)
            : normalised; // [batch, tokens or 1, hidden]
        return operators.LinearProjection(
            headInput, weights.LanguageModelHead, []); // [batch, tokens or 1, vocabulary]
    }

    private HostTensor<T> DecoderLayer(HostTensor<T> hiddenStates, int index, LayerWeights layer, in Pass pass)
    {
        arena.BeginLayer(index);
        string name = pass.Trace is null ? string.Empty : $"model.layers.{index}";
        HostTensor<T> normalised =
            operators.RmsNorm(hiddenStates, layer.InputLayerNorm, epsilon); // [batch, tokens, hidden]
        pass.Trace?.Tap($"{name}.input_layernorm.output", normalised);
        HostTensor<T> attended = Attention(normalised, index, layer, pass); // [batch, tokens, hidden]
        HostTensor<T> residual = operators.ResidualAdd(hiddenStates, attended); // [batch, tokens, hidden]

        normalised = operators.RmsNorm(residual, layer.PostAttentionLayerNorm, epsilon); // [batch, tokens, hidden]
        pass.Trace?.Tap($"{name}.post_attention_layernorm.output", normalised);
        HostTensor<T> fed = layer.Experts is null
            ? FeedForward(normalised, layer.DenseFeedForward!) // [batch, tokens, hidden]
            : SparseBlock(normalised, index, layer.Experts, pass); // [batch, tokens, hidden]
        pass.Trace?.Tap($"{name}.mlp.output", fed);
        HostTensor<T> output = operators.ResidualAdd(residual, fed); // [batch, tokens, hidden]
        arena.EndLayer();
        return output;
    }

    private HostTensor<T> Attention(HostTensor<T> x, int index, LayerWeights layer, in Pass pass)
    {
        string name = pass.Trace is null ? string.Empty : $"model.layers.{index}.attention";
        HostTensor<T> queryKeyValue =
            operators.LinearProjection(x, layer.QueryKeyValue, layer.QueryKeyValueBias); // [batch, tokens, q + 2·kv]
        pass.Trace?.Tap($"{name}.query_key_value.output", queryKeyValue);
        (HostTensor<T> query, HostTensor<T> key, HostTensor<T> value) = operators.QueryKeyValueSplit(
            queryKeyValue,
            configuration.AttentionHeadCount,
            configuration.KeyValueHeadCount,
            configuration.HeadDimension); // [batch, heads or keyValueHeads, tokens, headDim] each

        if (configuration.UseQueryKeyNorm)
        {
            query = operators.RmsNorm(query, layer.QueryLayerNorm, epsilon); // [batch, heads, tokens, headDim]
            pass.Trace?.Tap($"{name}.query_layernorm.output", query);
            key = operators.RmsNorm(key, layer.KeyLayerNorm, epsilon); // [batch, keyValueHeads, tokens, headDim]
            pass.Trace?.Tap($"{name}.key_layernorm.output", key);
        }

        query = operators.RotaryEmbedding(query, pass.Cosine, pass.Sine); // [batch, heads, tokens, headDim]
        pass.Trace?.Tap($"{name}.rotary.query", query);
        key = operators.RotaryEmbedding(key, pass.Cosine, pass.Sine); // [batch, keyValueHeads, tokens, headDim]
        pass.Trace?.Tap($"{name}.rotary.key", key);

        HostTensor<T> context = pass.Sequences.Count == 0
            ? Attend(index, query, key, value, pass.Cache, pass)
            : AttendEach(index, query, key, value, pass); // [batch, tokens, q]
        pass.Trace?.Tap($"{name}.dense.input", context);
        HostTensor<T> output =
            operators.LinearProjection(context, layer.Dense, layer.DenseBias); // [batch, tokens, hidden]
        pass.Trace?.Tap($"{name}.dense.output", output);
        return output;
    }

    private HostTensor<T> Attend(
        int index, HostTensor<T> query, HostTensor<T> key, HostTensor<T> value, KeyValueCache<T>? cache, in Pass pass)
    {
        int past = cache?.LengthOf(index) ?? 0, tokens = query.Shape[2];
        cache?.Append(index, key, value, operators);
        AttentionShape shape = new(
            query.Shape[0],
            configuration.AttentionHeadCount,
            configuration.KeyValueHeadCount,
            tokens,
            past,
            configuration.HeadDimension,
            cache?.Capacity ?? tokens);
        string name = pass.Trace is null ? string.Empty : $"model.layers.{index}.attention.weights";
        HostTensor<T>? attentionWeights = pass.Trace is not null && pass.Trace.Wants(name)
            ? new HostTensor<T>(shape.Batch, shape.Heads, shape.QueryTokens, shape.KeyTokens)
            : null;
        HostTensor<T> context = operators.CausalAttention(
            shape,
            query,
            cache?.Keys(index) ?? key,
            cache?.Values(index) ?? value,
            pass.Visible,
            attentionWeights); // [batch, tokens, q]
        if (attentionWeights is not null)
        {
            pass.Trace!.Tap(name, attentionWeights);
        }

        return context;
    }

    private HostTensor<T> FeedForward(HostTensor<T> x, ExpertWeights block)
    {
        HostTensor<T> gate = operators.LinearProjection(x, block.Gate, []); // [batch, tokens, intermediate]
        HostTensor<T> up = operators.LinearProjection(x, block.Up, []); // [batch, tokens, intermediate]
        HostTensor<T> activated = operators.SwiGlu(gate, up); // [batch, tokens, intermediate]
        return operators.LinearProjection(activated, block.Down, []); // [batch, tokens, hidden]
    }

    private HostTensor<T> SparseBlock(HostTensor<T> x, int index, SparseWeights block, in Pass pass)
    {
        string name = pass.Trace is null ? string.Empty : $"model.layers.{index}.mlp";
        HostTensor<T> routerLogits = operators.RouterLogits(x, block.Gate); // [tokens, experts]
        pass.Trace?.Tap($"{name}.gate.logits", routerLogits);
        HostTensor<T> scores = operators.RouterScores(routerLogits); // [tokens, experts]
        pass.Trace?.Tap($"{name}.gate.scores", scores);
        RouterShape shape = new(
            configuration.ExpertCount,
            configuration.GroupCount,
            configuration.ChosenGroupCount,
            configuration.ExpertsPerToken,
            (float)configuration.RoutedScalingFactor);
        RouterDecision<T> decision = operators.GroupLimitedTopK(scores, block.ExpertBias, shape); // [tokens, topK]
        pass.Trace?.TapDecision($"{name}.gate", decision);

        HostTensor<T> expertOutputs =
            operators.RoutedExperts(x, decision, block); // [tokens, topK, hidden]
        HostTensor<T> routed = operators.ExpertCombine(expertOutputs, decision); // [tokens, hidden]
        pass.Trace?.Tap($"{name}.routed.output", routed);
        if (block.SharedExperts is null)
        {
            return routed.Reshape(x.Shape); // [batch, tokens, hidden]
        }

        HostTensor<T> shared = FeedForward(x, block.SharedExperts); // [batch, tokens, hidden]
        pass.Trace?.Tap($"{name}.shared_experts.output", shared);

        // The shared expert is neither gated nor scaled.
        return operators.ResidualAdd(routed.Reshape(x.Shape), shared); // [batch, tokens, hidden]
    }

    private HostTensor<T> MultiTokenLogits(HostTensor<T> normalised, MultiTokenWeights layer, in Pass pass)
    {
        // The ids move left by one, so that position t sees token t + 1; the last column becomes token 0, as published.
        long[] ids = pass.Input.Ids, shifted = operators.Result<long>(ids.Length).Values;
        for (int position = 0; position < ids.Length; position++)
        {
            shifted[position] = (position + 1) % pass.Input.Tokens == 0 ? 0 : ids[position + 1];
        }

        HostTensor<T> output = MultiTokenLayer(shifted, normalised, layer, pass); // [batch, tokens, hidden]
        HostTensor<T> logits =
            operators.LinearProjection(output, weights.LanguageModelHead, []); // [batch, tokens, vocabulary]
        pass.Trace?.Tap("mtp.0.logits", logits);
        return logits;
    }

    private HostTensor<T> MultiTokenLayer(
        long[] nextIds, HostTensor<T> normalised, MultiTokenWeights layer, in Pass pass)
    {
        int index = configuration.LayerCount;
        weights.Residency?.EnterLayer(index);
        string name = pass.Trace is null ? string.Empty : $"model.layers.{index}";
        HostTensor<T> embeddings =
            operators.TokenEmbedding(nextIds, pass.Input.Batch, weights.WordEmbeddings); // [batch, tokens, hidden]
        pass.Trace?.Tap("mtp.0.word_embeddings.output", embeddings);
        embeddings = operators.RmsNorm(embeddings, layer.EmbeddingNorm, epsilon); // [batch, tokens, hidden]
        pass.Trace?.Tap($"{name}.enorm.output", embeddings);
        HostTensor<T> hidden = operators.RmsNorm(normalised, layer.HiddenNorm, epsilon); // [batch, tokens, hidden]
        pass.Trace?.Tap($"{name}.hnorm.output", hidden);
        HostTensor<T> joined = operators.Concatenate(embeddings, hidden); // [batch, tokens, 2·hidden]
        HostTensor<T> projected =
            operators.LinearProjection(joined, layer.EmbeddingHiddenProjection, []); // [batch, tokens, hidden]
        pass.Trace?.Tap($"{name}.eh_proj.output", projected);

        HostTensor<T> output = DecoderLayer(projected, index, layer.Block, pass); // [batch, tokens, hidden]
        output = operators.RmsNorm(output, layer.FinalLayerNorm, epsilon); // [batch, tokens, hidden]
        pass.Trace?.Tap($"{name}.final_layernorm.output", output);
        pass.Trace?.Tap($"{name}.output", output);
        return output;
    }

    private ForwardLosses Losses(
        HostTensor<T> logits, HostTensor<T>? multiTokenLogits, ForwardInput input, ForwardTrace<T>? trace)
    {
        HostTensor<T> main = operators.CrossEntropy(logits, CrossEntropy.MainTargets(input.Labels, input.Tokens));
        trace?.Tap("lm_loss", main);
        HostTensor<T> total = main;
        HostTensor<T>? multiToken = null;
        if (multiTokenLogits is not null)
        {
            multiToken =
                operators.CrossEntropy(multiTokenLogits, CrossEntropy.MultiTokenTargets(input.Labels, input.Tokens));
            trace?.Tap("mtp.0.loss", multiToken);
            total = operators.TotalLoss(main, multiToken, configuration.MtpLossScalingFactor);
        }

        trace?.Tap("loss", total);
        return new ForwardLosses(
            double.CreateChecked(total.Values[0]),
            double.CreateChecked(main.Values[0]),
            multiToken is null ? null : double.CreateChecked(multiToken.Values[0]));
    }

    private ArenaScope OpenArena(ForwardInput input, ForwardTrace<T>? trace)
    {
        arena.BeginPass(input.Batch, input.Tokens);
        operators.Arena = trace is null ? arena : null; // a trace may keep what it is shown
        return new ArenaScope(operators);
    }

    private Pass Begin(ForwardInput input, KeyValueCache<T>? cache, ForwardTrace<T>? trace)
    {
        int past = cache?.Length ?? 0;
        bool padded = input.AttentionMask?.Contains(0) ?? false;
        if (padded && weights.MultiToken is not null && input.RunMultiToken && cache is not null
            && cache.LengthOf(configuration.LayerCount) != past)
        {
            throw new ArgumentException(
                $"the MTP layer's cache slot holds {cache.LengthOf(configuration.LayerCount)} tokens, the main layers "
                + $"hold {past}: the attention mask cannot fit both",
                nameof(input));
        }

        byte[] visible = padded ? Array.ConvertAll(input.AttentionMask!, mask => (byte)(mask == 0 ? 0 : 1)) : [];
        return Begin(new Pass(input, cache, [], trace, visible, CancellationToken.None), Positions(input, past));
    }

    private Pass Begin(in Pass pass, long[] positions)
    {
        (HostTensor<T> cosine, HostTensor<T> sine) =
            operators.RotaryTables(rotaryTable, positions, pass.Input.Batch); // [batch, tokens, R]
        pass.Trace?.Tap("model.rotary_emb.cos", cosine);
        pass.Trace?.Tap("model.rotary_emb.sin", sine);
        return pass with { Cosine = cosine, Sine = sine };
    }

    private long[] Positions(ForwardInput input, int past)
    {
        if (input.Positions is not null)
        {
            return input.Positions;
        }

        long[] positions = operators.Result<long>(input.Ids.Length).Values;
        for (int index = 0; index < positions.Length; index++)
        {
            positions[index] = (long)past + (index % input.Tokens);
        }

        return positions;
    }

    /// <summary>Refuses what would otherwise run and mean nothing.</summary>
    private static void CheckLengths(ForwardInput input, KeyValueCache<T>? cache)
    {
        int count = input.Ids.Length;
        if (input.Batch < 1 || count == 0 || count % input.Batch != 0)
        {
            throw new ArgumentException($"{count} ids do not make {input.Batch} equal sequences", nameof(input));
        }

        if ((input.Positions ?? input.Ids).Length != count || (input.Labels ?? input.Ids).Length != count)
        {
            throw new ArgumentException(
                $"{count} ids with {input.Positions?.Length} positions and {input.Labels?.Length} labels",
                nameof(input));
        }

        if ((input.LastLogitsOnly || input.LogitRows is not null) && input.Labels is not null)
        {
            throw new ArgumentException("losses need the logits of every position", nameof(input));
        }

        if (cache is not null && cache.Batch != input.Batch)
        {
            throw new ArgumentException($"{input.Batch} sequences with a cache of {cache.Batch}", nameof(input));
        }

        int total = (cache?.Length ?? 0) + input.Tokens;
        if (input.AttentionMask is not null && input.AttentionMask.Length != input.Batch * total)
        {
            throw new ArgumentException(
                $"the attention mask has {input.AttentionMask.Length} entries; {input.Batch} × {total} are needed",
                nameof(input));
        }
    }

    /// <summary>The last token of every sequence: [batch, 1, width].</summary>
    private HostTensor<T> LastToken(HostTensor<T> x)
    {
        int batch = x.Shape[0], tokens = x.Shape[1];
        HostTensor<T> last = operators.Result<T>(batch, 1, x.Width);
        operators.CopyTokens(
            x.Reshape([batch, 1, tokens, x.Width]), tokens - 1, last.Reshape([batch, 1, 1, x.Width]), 0, 1);
        return last;
    }

    /// <summary>Chosen rows: [1, rows, hidden].</summary>
    private HostTensor<T> Rows(HostTensor<T> hiddenStates, int[] rows)
    {
        int width = hiddenStates.Width;
        HostTensor<T> all = hiddenStates.Reshape([1, 1, hiddenStates.Rows, width]);
        HostTensor<T> chosen = operators.Result<T>(1, rows.Length, width);
        for (int row = 0, end; row < rows.Length; row = end)
        {
            for (end = row + 1; end < rows.Length && rows[end] == rows[end - 1] + 1; end++)
            {
                // Neighbours are copied together.
            }

            operators.CopyTokens(all, rows[row], chosen.Reshape([1, 1, rows.Length, width]), row, end - row);
        }

        return chosen;
    }

    /// <summary>What all layers of one pass share: either one cache, or several sequences with their own.</summary>
    private readonly record struct Pass(
        ForwardInput Input,
        KeyValueCache<T>? Cache,
        IReadOnlyList<SequenceRows<T>> Sequences,
        ForwardTrace<T>? Trace,
        byte[] Visible,
        CancellationToken Cancellation)
    {
        /// <summary>[batch, tokens, R].</summary>
        public HostTensor<T> Cosine { get; init; } = null!;

        /// <summary>[batch, tokens, R].</summary>
        public HostTensor<T> Sine { get; init; } = null!;
    }

    /// <summary>The time in which results lie in the arena.</summary>
    private readonly struct ArenaScope(ForwardOperators<T> operators) : IDisposable
    {
        public void Dispose() => operators.Arena = null;
    }
}
