using System.Collections.Generic;
using System.Text.Json;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Objective;

/// <summary>
/// Expected or actual values of a case by the names of the schema; what a file does not have is null or absent. Arrays
/// are [rollouts, response], row-major.
/// </summary>
public sealed record IcePopExpectation
{
    /// <summary>1 where a token trains.</summary>
    public byte[]? Keep { get; init; }

    /// <summary>The same decided in ratio space.</summary>
    public byte[]? KeepRatioSpace { get; init; }

    /// <summary>Engine weights.</summary>
    public double[]? Weight { get; init; }

    /// <summary>log k.</summary>
    public double[]? LogRatio { get; init; }

    /// <summary>Policy ratios.</summary>
    public double[]? PolicyRatio { get; init; }

    /// <summary>1 where kept and clipped.</summary>
    public byte[]? Clipped { get; init; }

    /// <summary>Contributions before aggregation.</summary>
    public double[]? PerTokenLoss { get; init; }

    /// <summary>Losses by aggregation word.</summary>
    public IReadOnlyDictionary<string, double> Loss { get; init; } = new Dictionary<string, double>();

    /// <summary>Gradients by aggregation word.</summary>
    public IReadOnlyDictionary<string, double[]> Gradient { get; init; } = new Dictionary<string, double[]>();

    /// <summary>The closed formula's gradients by aggregation word.</summary>
    public IReadOnlyDictionary<string, double[]> AnalyticGradient { get; init; } = new Dictionary<string, double[]>();

    /// <summary>Divergences by "estimator/aggregation".</summary>
    public IReadOnlyDictionary<string, DivergenceResult> Divergence { get; init; } =
        new Dictionary<string, DivergenceResult>();

    /// <summary>Metrics by name.</summary>
    public IReadOnlyDictionary<string, double> Metrics { get; init; } = new Dictionary<string, double>();
}

public sealed partial class IcePopCaseFile
{
    private static IcePopExpectation? Expectation(
        CaseJson json, JsonElement root, string key, int rollouts, int length) =>
        json.Has(root, key)
            ? ReadExpectation(json, json.Get(root, "$", key, JsonValueKind.Object), "$." + key, rollouts, length)
            : null;

    /// <summary>Reads an object with any of the names of <c>reference_f64</c>.</summary>
    internal static IcePopExpectation ReadExpectation(
        CaseJson json, JsonElement values, string place, int rollouts, int length)
    {
        byte[]? Flags(string key) => json.Has(values, key) ? json.Flags(values, place, key, rollouts, length) : null;
        double[]? Matrix(string key) =>
            json.Has(values, key) ? json.Matrix(values, place, key, rollouts, length) : null;
        Dictionary<string, DivergenceResult> divergences = [];
        foreach ((string name, JsonElement entry) in json.Entries(values, place, "kl"))
        {
            string at = $"{place}.kl.{name}";
            divergences[name] = new DivergenceResult(
                json.Number(entry, at, "kl"),
                json.Number(entry, at, "total_loss"),
                json.Matrix(entry, at, "grad", rollouts, length));
        }

        return new IcePopExpectation
        {
            Keep = Flags("keep"),
            KeepRatioSpace = Flags("keep_ratio_space"),
            Weight = Matrix("weight"),
            LogRatio = Matrix("log_k"),
            PolicyRatio = Matrix("r"),
            Clipped = Flags("ppo_clipped"),
            PerTokenLoss = Matrix("per_token_loss"),
            Loss = Numbers(json, values, place, "loss", byAggregation: true),
            Gradient = Matrices(json, values, place, "grad", rollouts, length),
            AnalyticGradient = Matrices(json, values, place, "analytic_grad", rollouts, length),
            Divergence = divergences,
            Metrics = Numbers(json, values, place, "metrics"),
        };
    }

    private static Dictionary<string, double> Numbers(
        CaseJson json,
        JsonElement values,
        string place,
        string key,
        bool byAggregation = false)
    {
        Dictionary<string, double> numbers = [];
        foreach ((string name, JsonElement entry) in json.Entries(values, place, key))
        {
            if (byAggregation)
            {
                json.Aggregation($"{place}.{key}", name);
            }

            numbers[name] = json.Number(entry, $"{place}.{key}.{name}");
        }

        return numbers;
    }

    private static Dictionary<string, double[]> Matrices(
        CaseJson json, JsonElement values, string place, string key, int rollouts, int length)
    {
        Dictionary<string, double[]> matrices = [];
        foreach ((string name, JsonElement entry) in json.Entries(values, place, key))
        {
            json.Aggregation($"{place}.{key}", name);
            matrices[name] = json.Matrix(entry, $"{place}.{key}.{name}", rollouts, length);
        }

        return matrices;
    }
}
