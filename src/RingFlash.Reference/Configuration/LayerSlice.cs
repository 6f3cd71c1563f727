using System;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Configuration;

/// <summary>
/// Some consecutive layers of a model as a model of its own: layers a … b become 0 … b − a, with the weights that they
/// have in the whole model.
/// </summary>
/// <remarks>
/// <para>Renumbered, because every loader builds <c>num_hidden_layers</c> layers from 0 and asks for them by that
/// number. <c>first_k_dense_replace</c> becomes the number of dense layers in the range.</para>
/// <para>The MTP layer, when the configuration has one, belongs to the model and not to the range: it comes along
/// behind the last layer, as Ling-V2 and every loader expect it, and keeps its weights too.</para>
/// </remarks>
internal sealed class LayerSlice
{
    private readonly ModelConfiguration whole;
    private readonly LayerRange range;

    /// <summary>Takes a slice.</summary>
    /// <param name="whole">The whole model.</param>
    /// <param name="range">The main layers to keep; null for all.</param>
    /// <exception cref="InvalidInputException">The model has fewer layers.</exception>
    public LayerSlice(ModelConfiguration whole, LayerRange? range)
    {
        this.whole = whole;
        this.range = range ?? new LayerRange(0, whole.LayerCount - 1);
        if (this.range.Last >= whole.LayerCount)
        {
            throw new InvalidInputException(
                whole.SourceName,
                "$.num_hidden_layers",
                $"layers {this.range} were asked for, the model has 0-{whole.LayerCount - 1}");
        }
    }

    /// <summary>The <c>config.json</c> of the slice: the whole model's with the values that change.</summary>
    /// <param name="json">The whole model's <c>config.json</c>, already checked.</param>
    /// <param name="storage">How the weights are stored.</param>
    /// <returns>UTF-8.</returns>
    public byte[] Configuration(ReadOnlyMemory<byte> json, WeightStorage storage)
    {
        JsonObject config = JsonNode.Parse(json.Span)!.AsObject();
        if (range.Count != whole.LayerCount)
        {
            config["num_hidden_layers"] = range.Count;
            config["first_k_dense_replace"] = Math.Clamp(whole.FirstDenseLayerCount - range.First, 0, range.Count);
        }

        string dtype = storage == WeightStorage.Float32 ? "float32" : "bfloat16";
        config[config.ContainsKey("dtype") ? "dtype" : "torch_dtype"] = dtype;
        if (config.ContainsKey("torch_dtype"))
        {
            config["torch_dtype"] = dtype; // a file may hold the new and the old name, and they must agree
        }

        if (storage != WeightStorage.Float8)
        {
            config.Remove("quantization_config");
        }
        else if (whole.Quantization is null)
        {
            // The published converter's words, and no list of excluded modules: it writes none.
            config["quantization_config"] = new JsonObject
            {
                ["activation_scheme"] = "dynamic",
                ["fmt"] = "e4m3",
                ["quant_method"] = "fp8",
                ["weight_block_size"] = new JsonArray(128, 128),
            };
        }

        JsonSerializerOptions options = new()
        {
            WriteIndented = true,
            Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        };
        return [.. JsonSerializer.SerializeToUtf8Bytes(config, options), (byte)'\n'];
    }

    /// <summary>The name that a tensor of the slice has in the whole model, where its weights come from.</summary>
    /// <param name="name">Its name in the slice.</param>
    /// <returns>The name in the whole model.</returns>
    public string NameInWhole(string name)
    {
        const string Prefix = "model.layers.";
        if (!name.StartsWith(Prefix, StringComparison.Ordinal))
        {
            return name;
        }

        int end = name.IndexOf('.', Prefix.Length);
        int layer = int.Parse(name.AsSpan(Prefix.Length, end - Prefix.Length), CultureInfo.InvariantCulture);
        int original = layer < range.Count ? range.First + layer : whole.MtpLayerIndex!.Value;
        return string.Create(CultureInfo.InvariantCulture, $"{Prefix}{original}{name.AsSpan(end)}");
    }
}
