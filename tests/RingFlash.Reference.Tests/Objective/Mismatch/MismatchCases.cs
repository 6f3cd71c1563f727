// Red here means that the mismatch tests read their inputs wrongly; no product defect.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;
using RingFlash.Reference.Objective.Mismatch;

namespace RingFlash.Reference.Tests.Objective.Mismatch;

/// <summary>Inputs for the metrics: hand-made ones and the stored cases, read without the product's readers.</summary>
internal static class MismatchCases
{
    public static string Folder => Path.Combine(RepositoryRoot.Golden, "icepop");

    public static IReadOnlyList<string> Names =>
        [.. Directory.GetFiles(Folder, "case_*.json").Select(path => Path.GetFileNameWithoutExtension(path)!).Order()];

    public static LogProbabilityData Data(string source, int rollouts, double[] values, string? mask = null) => new(
        source,
        rollouts,
        rollouts == 0 ? 0 : values.Length / rollouts,
        values,
        mask?.Select(bit => bit == '1').ToArray(),
        null,
        []);

    public static MismatchMetrics Metrics(
        int rollouts, double[] train, double[] infer, string mask, MismatchOptions? options = null) =>
        MismatchMetrics.Compute(
            MismatchInput.Create(Data("train", rollouts, train, mask), Data("infer", rollouts, infer, mask)), options);

    public static double Number(JsonElement element) => element.ValueKind == JsonValueKind.String
        ? double.Parse(element.GetString()!, System.Globalization.CultureInfo.InvariantCulture)
        : element.GetDouble();

    /// <summary>The metrics of a stored case, with the case's band; null where it has no valid token.</summary>
    public static MismatchMetrics? Metrics(JsonElement root)
    {
        JsonElement inputs = root.GetProperty("inputs"), config = root.GetProperty("config");
        int rollouts = root.GetProperty("shape")[0].GetInt32();
        double[] Flat(string name) =>
            [.. inputs.GetProperty(name).EnumerateArray().SelectMany(row => row.EnumerateArray()).Select(Number)];
        string mask = string.Concat(Flat("mask").Select(bit => bit == 0 ? '0' : '1'));
        MismatchOptions options = new(Number(config.GetProperty("alpha")), Number(config.GetProperty("beta")));
        return mask.Contains('1') ? Metrics(rollouts, Flat("logp_old"), Flat("logp_infer"), mask, options) : null;
    }
}
