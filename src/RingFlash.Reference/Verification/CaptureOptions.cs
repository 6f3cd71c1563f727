using System;
using System.Collections.Generic;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Verification;

/// <summary>What is captured.</summary>
/// <param name="Configuration">The model.</param>
/// <param name="ConfigurationJson">Its <c>config.json</c>, UTF-8; goes into the case as it is.</param>
/// <param name="Weights">Its weights: a <see cref="CheckpointFolder"/> or a <see cref="SyntheticSource"/>.</param>
/// <param name="Ids">One sequence of token ids.</param>
public sealed record CaptureOptions(
    ModelConfiguration Configuration, byte[] ConfigurationJson, IWeightSource Weights, IReadOnlyList<int> Ids)
{
    /// <summary>
    /// The layers whose boundaries and routers are kept, the MTP layer by its index in the checkpoint; null for all.
    /// </summary>
    public IReadOnlySet<int>? Layers { get; init; }

    /// <summary>Whether the model runs in bfloat16 and not in float32.</summary>
    public bool BFloat16 { get; init; }

    /// <summary>Who computes.</summary>
    public ExecutionEngine Engine { get; init; } = ExecutionEngine.Vector512;

    /// <summary>
    /// The most bytes of memory that the run may take; what <see cref="Model.ForwardMemory"/> leaves of them holds
    /// weights. Null to hold none: every weight is read where it is multiplied.
    /// </summary>
    public long? MemoryLimit { get; init; }

    /// <summary>
    /// Kinds of taps that are kept instead of the usual ones, of <see cref="TapKinds"/>; null for the usual ones.
    /// </summary>
    public IReadOnlySet<string>? Taps { get; init; }

    /// <summary>A variation of the model, a mistake made on purpose; null for the model as it is.</summary>
    public Func<ModelParts, ModelParts>? Variation { get; init; }

    /// <summary>What the variation is, for the provenance; empty without one.</summary>
    public string VariationName { get; init; } = string.Empty;

    /// <summary>The kinds of taps that a capture can keep.</summary>
    public static IReadOnlyList<string> TapKinds { get; } =
        ["embedding", "attention", "router", "mlp", "layers", "norm", "logits"];

    /// <summary>The version of the tool, for the provenance.</summary>
    public string ToolVersion { get; init; } = "unknown";
}

/// <summary>What a capture holds.</summary>
/// <param name="Folder">The case folder.</param>
/// <param name="TapCount">The recorded tensors.</param>
/// <param name="Values">Their elements.</param>
/// <param name="Weights">The weights that the run read; empty for synthetic ones.</param>
public sealed record CaptureResult(
    string Folder, int TapCount, long Values, IReadOnlyList<WeightFingerprint> Weights);
