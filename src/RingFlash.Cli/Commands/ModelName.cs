using System;
using System.IO;
using System.Linq;
using System.Text;
using System.Text.Json.Nodes;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;

namespace RingFlash.Cli.Commands;

/// <summary>A model as people name it: a checkpoint folder, or <c>synthetic:NAME[@SEED]</c>.</summary>
/// <param name="Configuration">Its configuration.</param>
/// <param name="ConfigurationJson">The <c>config.json</c>, UTF-8; it counts layers as the configuration does.</param>
/// <param name="Weights">Its weights; checked against the configuration.</param>
internal sealed record ModelName(ModelConfiguration Configuration, byte[] ConfigurationJson, IWeightSource Weights)
    : IDisposable
{
    private const string Synthetic = "synthetic:";

    /// <summary>The checkpoint folder, where a tokenizer may lie; null for a synthetic model.</summary>
    public string? Folder { get; private init; }

    /// <summary>Opens a model.</summary>
    /// <param name="text">What was typed.</param>
    /// <param name="currentDirectory">Where relative paths start.</param>
    /// <param name="check">Whether a folder must hold every tensor of its configuration.</param>
    /// <returns>The model.</returns>
    /// <exception cref="UsageException">The name is malformed.</exception>
    /// <exception cref="EnvironmentException">There is no such folder.</exception>
    /// <exception cref="InvalidInputException">The checkpoint breaks a rule.</exception>
    public static ModelName Open(string text, string currentDirectory, bool check = true)
    {
        if (text.Trim().Length == 0 || text.Contains('\0'))
        {
            throw new UsageException("MODEL is empty");
        }

        return text.StartsWith(Synthetic, StringComparison.Ordinal)
            ? OpenSynthetic(text, currentDirectory)
            : OpenFolder(text, currentDirectory, check);
    }

    /// <inheritdoc/>
    public void Dispose() => Weights.Dispose();

    private static ModelName OpenSynthetic(string text, string currentDirectory)
    {
        string name = text[Synthetic.Length..];
        int at = name.LastIndexOf('@');
        ulong seed = at < 0 ? 0 : SynthCommand.ParseSeed(name[(at + 1)..], "MODEL");
        ConfigurationName found = ConfigurationName.Find(at < 0 ? name : name[..at], "MODEL", currentDirectory);

        // Synthetic weights are plain numbers; a quantised configuration is run with the numbers it was quantised from.
        ModelConfiguration configuration =
            ConfigurationReader.Read(found.Json, found.Text) with { Quantization = null };
        return new ModelName(
            configuration, found.Json, new SyntheticSource(text, seed, TensorCatalog.For(configuration)));
    }

    private static ModelName OpenFolder(string text, string currentDirectory, bool check)
    {
        string folder = Path.GetFullPath(text, currentDirectory);
        if (!Directory.Exists(folder))
        {
            throw new EnvironmentException(text, "no such folder; a model without one is synthetic:NAME[@SEED]");
        }

        CheckpointFolder weights = CheckpointFolder.Open(folder);
        try
        {
            string path = Path.Combine(folder, "config.json");
            byte[] json = ConfigurationReader.ReadBytes(path);
            ModelConfiguration configuration = ConfigurationReader.Read(
                json, path, tensorNames: weights.Tensors.Select(tensor => tensor.Name));
            if (check)
            {
                TensorCatalog.Check(configuration, weights);
            }

            if (configuration.LayerCount != configuration.DeclaredLayerCount)
            {
                // Ring-V2 counts the MTP layer in; a case says the number of main layers, as Ling-V2 does.
                JsonObject edited = JsonNode.Parse(json)!.AsObject();
                edited["num_hidden_layers"] = configuration.LayerCount;
                json = Encoding.UTF8.GetBytes(edited.ToJsonString());
            }

            return new ModelName(configuration, json, weights) { Folder = folder };
        }
        catch
        {
            weights.Dispose();
            throw;
        }
    }
}
