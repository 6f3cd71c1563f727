using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Objective;
using RingFlash.Reference.Objective.Checking;
using RingFlash.Reference.Objective.Profiles;
using RingFlash.Reference.Operators;
using Spectre.Console;

namespace RingFlash.Cli.Reports;

/// <summary>Evaluations for people.</summary>
internal static class IcePopEvaluationTable
{
    /// <summary>Writes the verdict, the table, and for one case its metrics.</summary>
    /// <param name="console">Where to.</param>
    /// <param name="evaluations">The evaluations.</param>
    /// <param name="profile">Whose objective.</param>
    public static void Write(
        IAnsiConsole console, IReadOnlyList<IcePopEvaluation> evaluations, ObjectiveProfile profile)
    {
        ReportText text = new(console);
        IcePopEvaluation? wrong = evaluations.FirstOrDefault(evaluation => evaluation.Difference.Length > 0);
        int compared = evaluations.Count(evaluation => evaluation.IsCompared);
        string cases = evaluations.Count == 1 ? "1 case" : $"{evaluations.Count} cases";
        text.Line(wrong is not null
            ? $"FAILED {wrong.Case.Name}: {wrong.Difference}"
            : $"{cases} evaluated in {evaluations[0].Precision}, profile {profile.Name}; "
                + (compared == 0 ? "no expected values to compare with" : $"{compared} equal to what they expect"));
        text.Blank();
        string aggregation = Aggregation(profile).Word();
        ReportTable table = new(
            new("case", 30),
            new("loss", 12, Right: true),
            new("|gradient|", 11, Right: true),
            new("valid", 8, Right: true),
            new("kept", 8, Right: true),
            new("low", 6, Right: true),
            new("high", 6, Right: true),
            new("n.f.", 4, Right: true),
            new("verdict", 7));
        foreach (IcePopEvaluation evaluation in evaluations)
        {
            table.Add(Row(evaluation, aggregation));
        }

        table.Write(console);
        text.Line($"loss, gradient: {aggregation}, without KL term; low, high: dropped below and above the band; "
            + "n.f.: dropped because the ratio is not finite");
        foreach (IcePopEvaluation raised in evaluations.Where(evaluation => evaluation.Values is null))
        {
            text.Line($"{raised.Case.Name}: {profile.Name} raises: {raised.Raised}");
        }

        if (evaluations is [{ Values: { } values }])
        {
            Details(text, values);
        }

        foreach (ProfileFault fault in profile.Faults)
        {
            text.Line($"{fault.Number} of {profile.Name}: {fault.Description}");
        }
    }

    private static object[] Row(IcePopEvaluation evaluation, string aggregation)
    {
        IcePopExpectation? values = evaluation.Values;
        string verdict = values is null ? "raises"
            : evaluation.Difference.Length > 0 ? "FAILED"
            : evaluation.IsCompared ? "equal" : "-";
        string Metric(string name) =>
            values is not null && values.Metrics.TryGetValue(name, out double value) ? NumberText.Value(value) : "-";
        return
        [
            evaluation.Case.Name,
            values is not null && values.Loss.TryGetValue(aggregation, out double loss) ? Number(loss) : "-",
            values is not null && values.Gradient.TryGetValue(aggregation, out double[]? gradient)
                ? Number(IcePopValues.Norm(gradient))
                : "-",
            Count(evaluation.Case.Batch.ResponseMask),
            values?.Keep is null ? "-" : Count(values.Keep),
            Metric("masked_low"),
            Metric("masked_high"),
            Metric("nonfinite_log_ratio"),
            verdict,
        ];
    }

    private static void Details(ReportText text, IcePopExpectation values)
    {
        text.Blank();
        foreach ((string word, double loss) in values.Loss)
        {
            string norm = values.Gradient.TryGetValue(word, out double[]? gradient)
                ? $", |gradient| {Number(IcePopValues.Norm(gradient))}"
                : string.Empty;
            text.Line($"loss.{word} {Exact(loss)}{norm}");
        }

        foreach ((string key, DivergenceResult divergence) in values.Divergence)
        {
            text.Line($"kl.{key} {Exact(divergence.Value)}, total loss {Exact(divergence.TotalLoss)}");
        }

        foreach ((string name, double value) in values.Metrics)
        {
            text.Line($"{name} {Exact(value)}");
        }
    }

    // A framework that has no mean over tokens and then over responses shows the first aggregation that it has.
    private static LossAggregationKind Aggregation(ObjectiveProfile profile) =>
        profile.Aggregations.Count == 0 || profile.Aggregations.Contains(LossAggregationKind.SequenceMeanTokenMean)
            ? LossAggregationKind.SequenceMeanTokenMean
            : profile.Aggregations[0];

    private static string Number(double value) => value.ToString("G6", CultureInfo.InvariantCulture);

    private static string Exact(double value) => value.ToString("R", CultureInfo.InvariantCulture);

    private static string Count(ReadOnlySpan<byte> flags)
    {
        int count = 0;
        foreach (byte flag in flags)
        {
            count += flag;
        }

        return count.ToString(CultureInfo.InvariantCulture);
    }
}
