using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Verification;

namespace RingFlash.Reference.Comparison;

/// <summary>
/// What a candidate is compared with: a golden case, whose stored values are the reference, or a model with token ids,
/// whose values are computed.
/// </summary>
public sealed class ComparisonReference : IDisposable
{
    private readonly GoldenCase? golden;

    private ComparisonReference(
        string description,
        ModelConfiguration configuration,
        IWeightSource weights,
        ForwardInput input,
        string precision,
        GoldenCase? golden)
    {
        Description = description;
        Configuration = configuration;
        Weights = weights;
        Input = input;
        Precision = precision;
        this.golden = golden;
        Flow = new DataFlow(configuration);
        Taps = golden is null ? new Dictionary<string, CandidateTap>() : StoredTap.CandidateOf(golden.File).Taps;
    }

    /// <summary>What a person would call it.</summary>
    public string Description { get; }

    /// <summary>The model.</summary>
    public ModelConfiguration Configuration { get; }

    /// <summary>Its weights.</summary>
    public IWeightSource Weights { get; }

    /// <summary>Tokens, positions and mask.</summary>
    public ForwardInput Input { get; }

    /// <summary>What the stored values were computed in; <c>float32</c> for a model.</summary>
    public string Precision { get; }

    /// <summary>The stored values, by tap; empty for a model.</summary>
    public IReadOnlyDictionary<string, CandidateTap> Taps { get; }

    /// <summary>What is made from what.</summary>
    public DataFlow Flow { get; }

    /// <summary>A golden case.</summary>
    /// <param name="golden">The case, of one forward pass; disposed with this.</param>
    /// <returns>The reference.</returns>
    /// <exception cref="InvalidInputException">The case is of another kind, or its inputs break a rule.</exception>
    public static ComparisonReference FromGolden(GoldenCase golden)
    {
        ArgumentNullException.ThrowIfNull(golden);
        if (golden.Kind != "model" || golden.UsesCache || !golden.Holds("input_ids"))
        {
            throw new InvalidInputException(
                golden.Folder, "case.json", "compare takes a case of one forward pass of a model");
        }

        ModelConfiguration configuration = ModelCase.RequireConfiguration(golden);
        long[] ids = golden.RequireIntegers("input_ids", out IReadOnlyList<long> shape);
        ModelCase.CheckIds(golden, ids, shape, configuration);
        ForwardInput input = new(ids, (int)shape[0])
        {
            Positions = ModelCase.Aligned(golden, "position_ids", shape),
            AttentionMask = ModelCase.Mask(golden, shape),
            RunMultiToken = false,
        };
        IWeightSource weights = golden.OpenWeights(configuration);
        TensorCatalog.Check(configuration, weights);
        return new ComparisonReference(golden.Folder, configuration, weights, input, golden.Precision, golden);
    }

    /// <summary>A model whose values are computed.</summary>
    /// <param name="description">What a person would call it.</param>
    /// <param name="configuration">The model.</param>
    /// <param name="weights">Its weights, checked; disposed with this.</param>
    /// <param name="input">What it is fed.</param>
    /// <returns>The reference.</returns>
    public static ComparisonReference FromModel(
        string description, ModelConfiguration configuration, IWeightSource weights, ForwardInput input)
    {
        ArgumentNullException.ThrowIfNull(input);
        return new ComparisonReference(
            description, configuration, weights, input with { RunMultiToken = false }, "float32", null);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Weights.Dispose();
        golden?.Dispose();
    }
}
