using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Configuration;

namespace RingFlash.Reference.Comparison;

/// <summary>
/// Which results the forward pass makes from which, and with which operators: the map on which a wrong value is traced
/// back to the nearest values that a dump holds. The main model only; the MTP layer is not part of it.
/// </summary>
public sealed class DataFlow
{
    /// <summary>The name of the embeddings.</summary>
    public const string Embeddings = "model.word_embeddings.output";

    /// <summary>The name of the final norm's output.</summary>
    public const string FinalNorm = "model.norm.output";

    /// <summary>The name of the logits.</summary>
    public const string Logits = "lm_head.output";

    private const string Ids = "input_ids";

    private readonly Dictionary<string, DataFlowNode> nodes = new(StringComparer.Ordinal);
    private readonly List<DataFlowNode> order = [];

    /// <summary>Draws the map of a model.</summary>
    /// <param name="configuration">The model.</param>
    public DataFlow(ModelConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        Add(Embeddings, null, "embedding", ["TokenEmbedding"], Ids);
        Add("model.rotary_emb.cos", null, "attention", ["RotaryTable"], "position_ids");
        Add("model.rotary_emb.sin", null, "attention", ["RotaryTable"], "position_ids");
        string hidden = Embeddings;
        for (int layer = 0; layer < configuration.LayerCount; layer++)
        {
            hidden = AddLayer(configuration, layer, hidden);
        }

        Add(FinalNorm, null, "final norm", ["RmsNorm"], hidden);
        Add(Logits, null, "head", ["LinearProjection"], FinalNorm);
    }

    /// <summary>Every result in the order of computation, those included that no dump ever holds.</summary>
    public IReadOnlyList<DataFlowNode> Nodes => order;

    /// <summary>The name of a layer's output.</summary>
    /// <param name="layer">The layer; −1 for the embeddings.</param>
    /// <returns>The tap.</returns>
    public static string LayerOutput(int layer) =>
        layer < 0 ? Embeddings : string.Create(CultureInfo.InvariantCulture, $"model.layers.{layer}.output");

    /// <summary>Finds a result.</summary>
    /// <param name="name">The tap.</param>
    /// <returns>The node; null for a name that the main model does not compute.</returns>
    public DataFlowNode? Find(string name) => nodes.GetValueOrDefault(name);

    /// <summary>What lies between a tap and the nearest values that are known.</summary>
    /// <param name="name">The tap.</param>
    /// <param name="isKnown">Whether the dump holds a tap.</param>
    /// <returns>The way there, in the order of computation.</returns>
    public FlowSegment SegmentOf(string name, Func<string, bool> isKnown)
    {
        ArgumentNullException.ThrowIfNull(isKnown);
        HashSet<string> between = [], inputs = [];
        Stack<string> open = new([name]);
        while (open.TryPop(out string? next))
        {
            if (!between.Add(next))
            {
                continue;
            }

            foreach (string input in nodes[next].Inputs)
            {
                if (!nodes.ContainsKey(input) || isKnown(input))
                {
                    inputs.Add(input);
                }
                else
                {
                    open.Push(input);
                }
            }
        }

        DataFlowNode[] path = [.. order.Where(node => between.Contains(node.Name))];
        return new FlowSegment(
            path,
            [.. path.SelectMany(node => node.Operators).Distinct()],
            [.. path.Select(node => node.Block).Distinct()],
            [.. inputs.Order(StringComparer.Ordinal)]);
    }

    private string AddLayer(ModelConfiguration configuration, int layer, string x)
    {
        string name = string.Create(CultureInfo.InvariantCulture, $"model.layers.{layer}");
        string attention = $"{name}.attention", mlp = $"{name}.mlp", gate = $"{mlp}.gate";
        string normalised = $"{name}.input_layernorm.output", fused = $"{attention}.query_key_value.output";
        Add(normalised, layer, "attention", ["RmsNorm"], x);
        Add(fused, layer, "attention", ["LinearProjection"], normalised);
        string[] sides = ["query", "key"];
        foreach (string side in configuration.UseQueryKeyNorm ? sides : [])
        {
            Add($"{attention}.{side}_layernorm.output", layer, "attention", ["QueryKeyValueSplit", "RmsNorm"], fused);
        }

        foreach (string side in sides)
        {
            string[] operators = configuration.UseQueryKeyNorm
                ? ["RotaryEmbedding"]
                : ["QueryKeyValueSplit", "RotaryEmbedding"];
            string source = configuration.UseQueryKeyNorm ? $"{attention}.{side}_layernorm.output" : fused;
            Add(
                $"{attention}.rotary.{side}",
                layer,
                "attention",
                operators,
                source,
                "model.rotary_emb.cos",
                "model.rotary_emb.sin");
        }

        string query = $"{attention}.rotary.query", key = $"{attention}.rotary.key";
        string context = $"{attention}.dense.input", attended = $"{attention}.dense.output";
        Add($"{attention}.weights", layer, "attention", ["CausalAttention"], query, key);
        Add(context, layer, "attention", ["QueryKeyValueSplit", "CausalAttention"], query, key, fused);
        Add(attended, layer, "attention", ["LinearProjection"], context);

        // Between two operators that no program tells apart from outside.
        string residual = $"{attention}.residual", post = $"{name}.post_attention_layernorm.output";
        Add(residual, layer, "residual", ["ResidualAdd"], x, attended);
        string block = configuration.IsDenseLayer(layer) ? "MLP" : "router and experts";
        Add(post, layer, block, ["RmsNorm"], residual);
        if (configuration.IsDenseLayer(layer))
        {
            Add($"{mlp}.output", layer, "MLP", ["LinearProjection", "SwiGlu"], post);
        }
        else
        {
            Add($"{gate}.logits", layer, "router", ["RouterLogits"], post);
            Add($"{gate}.scores", layer, "router", ["RouterScores"], $"{gate}.logits");
            Add($"{gate}.topk_idx", layer, "router", ["GroupLimitedTopK"], $"{gate}.scores");
            Add($"{gate}.topk_weight", layer, "router", ["GroupLimitedTopK"], $"{gate}.scores", $"{gate}.topk_idx");
            string[] chosen = [post, $"{gate}.topk_idx", $"{gate}.topk_weight"];
            Add($"{mlp}.routed.output", layer, "experts", ["RoutedExperts", "ExpertCombine"], chosen);
            if (configuration.SharedExpertCount > 0)
            {
                string shared = $"{mlp}.shared_experts.output";
                Add(shared, layer, "experts", ["LinearProjection", "SwiGlu"], post);
                Add($"{mlp}.output", layer, "experts", ["ResidualAdd"], $"{mlp}.routed.output", shared);
            }
            else
            {
                Add($"{mlp}.output", layer, "experts", [], $"{mlp}.routed.output");
            }
        }

        Add($"{name}.output", layer, "residual", ["ResidualAdd"], residual, $"{mlp}.output");
        return $"{name}.output";
    }

    private void Add(string name, int? layer, string block, string[] operators, params string[] inputs)
    {
        DataFlowNode node = new(name, layer, block, operators, inputs);
        nodes.Add(name, node);
        order.Add(node);
    }
}

/// <summary>One result of the forward pass.</summary>
/// <param name="Name">The tap's name in the golden format.</param>
/// <param name="Layer">The layer; null outside the layers.</param>
/// <param name="Block">embedding, attention, router, experts, MLP, residual, final norm or head; the norm before a
/// sparse block belongs to <c>router and experts</c>.</param>
/// <param name="Operators">The operators that make it, in their order.</param>
/// <param name="Inputs">The results that these read.</param>
public sealed record DataFlowNode(
    string Name, int? Layer, string Block, IReadOnlyList<string> Operators, IReadOnlyList<string> Inputs);

/// <summary>The way from the nearest known values to a tap.</summary>
/// <param name="Nodes">The results on the way, the tap last.</param>
/// <param name="Operators">The operators on the way, each once.</param>
/// <param name="Blocks">The blocks on the way, each once.</param>
/// <param name="Inputs">The known values that it starts from.</param>
public sealed record FlowSegment(
    IReadOnlyList<DataFlowNode> Nodes,
    IReadOnlyList<string> Operators,
    IReadOnlyList<string> Blocks,
    IReadOnlyList<string> Inputs);
