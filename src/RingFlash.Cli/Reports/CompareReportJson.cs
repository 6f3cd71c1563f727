using System.Text.Json;
using RingFlash.Reference.Comparison;
using static RingFlash.Cli.Reports.JsonValues;

namespace RingFlash.Cli.Reports;

/// <summary>
/// A comparison for machines, schema <c>ringflash-compare/1</c>: the records, member for member. The ids
/// <c>layer/operator/tap</c> are stable, so that two runs can be laid side by side.
/// </summary>
internal static class CompareReportJson
{
    /// <summary>The schema's name.</summary>
    public const string Schema = "ringflash-compare/1";

    /// <summary>Writes the file, whole or not at all.</summary>
    /// <param name="path">The file.</param>
    /// <param name="report">The report.</param>
    public static void Save(string path, ComparisonReport report) =>
        JsonFile.Save(path, Schema, json => WriteReport(json, report));

    /// <summary>The word for an outcome.</summary>
    /// <param name="outcome">The outcome.</param>
    /// <returns>The word.</returns>
    public static string WordOf(ComparisonOutcome outcome) => outcome switch
    {
        ComparisonOutcome.Agrees => "agrees",
        ComparisonOutcome.Differs => "differs",
        ComparisonOutcome.Incomplete => "incomplete",
        _ => "not-checked",
    };

    private static void WriteReport(Utf8JsonWriter json, ComparisonReport report)
    {
        json.WriteString("headline", report.Headline);
        json.WriteString("outcome", WordOf(report.Outcome));
        json.WriteNumber("exitCode", report.ExitCode);
        json.WriteString("reference", report.Reference);
        json.WriteString("candidate", report.Candidate);
        json.WriteString("precision", report.Precision);
        json.WriteString("precisionReason", report.PrecisionReason);
        Real(json, "elapsedSeconds", report.Elapsed.TotalSeconds);
        WriteFault(json, report.FirstFault);
        Strings(json, "preflight", report.Preflight);
        Strings(json, "missing", report.Missing);
        Strings(json, "doubles", report.Doubles);
        Strings(json, "misfits", report.Misfits);
        Strings(json, "unmapped", report.Unmapped);
        Strings(json, "notDumped", report.NotDumped);
        Strings(json, "notCompared", report.NotCompared);
        Strings(json, "unseen", report.Unseen);
        Strings(json, "notes", report.Notes);
        Strings(json, "variants", report.Variants);
        json.WriteStartArray("isolated");
        foreach (TapFinding finding in report.Isolated)
        {
            WriteFinding(json, finding);
        }

        json.WriteEndArray();
        json.WriteStartArray("drift");
        foreach (DriftPoint point in report.Drift)
        {
            json.WriteStartObject();
            json.WriteString("tap", point.Tap);
            WriteLayer(json, point.Layer);
            WriteDistance(json, point.Distance);
            WriteBand(json, "band", point.Band);
            Reals(json, "tokenErrors", point.TokenErrors);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteStartArray("routers");
        foreach (RouterFinding router in report.Routers)
        {
            WriteRouter(json, router);
        }

        json.WriteEndArray();
        WriteLogits(json, report.Logits);
    }

    private static void WriteFault(Utf8JsonWriter json, FirstFault? fault)
    {
        if (fault is null)
        {
            json.WriteNull("firstFault");
            return;
        }

        json.WriteStartObject("firstFault");
        json.WriteString("id", fault.Id);
        json.WriteString("tap", fault.Tap);
        WriteLayer(json, fault.Layer);
        Strings(json, "blocks", fault.Blocks);
        Strings(json, "operators", fault.Operators);
        Strings(json, "inputs", fault.Inputs);
        WriteWorst(json, fault.Worst);
        Real(json, "overBudget", fault.OverBudget);
        json.WriteString("recognised", fault.Recognised);
        json.WriteString("sourceFile", fault.SourceFile);
        json.WriteEndObject();
    }

    private static void WriteFinding(Utf8JsonWriter json, TapFinding finding)
    {
        json.WriteStartObject();
        json.WriteString("id", finding.Id);
        json.WriteString("tap", finding.Tap);
        WriteLayer(json, finding.Layer);
        json.WriteString("verdict", Word(finding.Verdict));
        Real(json, "overBudget", finding.OverBudget);
        Strings(json, "blocks", finding.Blocks);
        Strings(json, "operators", finding.Operators);
        Strings(json, "inputs", finding.Inputs);
        WriteDistance(json, finding.Distance);
        WriteBand(json, "band", finding.Band);
        WriteBand(json, "budget", finding.Budget);
        json.WriteString("nearestVariant", finding.NearestVariant);
        Real(json, "nearestL2Relative", finding.NearestL2Relative);
        json.WriteNumber("tokensLeftOut", finding.TokensLeftOut);
        WriteWorst(json, finding.Worst);
        json.WriteString("recognised", finding.Recognised);
        json.WriteString("note", finding.Note);
        Reals(json, "tokenErrors", finding.TokenErrors);
        json.WriteStartArray("ulpHistogram");
        foreach (long count in finding.UlpHistogram)
        {
            json.WriteNumberValue(count);
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteRouter(Utf8JsonWriter json, RouterFinding router)
    {
        json.WriteStartObject();
        json.WriteString("id", router.Id);
        json.WriteNumber("layer", router.Layer);
        json.WriteString("verdict", Word(router.Verdict));
        json.WriteNumber("tokens", router.Tokens);
        json.WriteNumber("sameExperts", router.SameExperts);
        json.WriteNumber("sameOrder", router.SameOrder);
        json.WriteNumber("sameGroups", router.SameGroups);
        json.WriteNumber("nearTies", router.NearTies);
        json.WriteNumber("wrong", router.Wrong);
        Real(json, "smallestMargin", router.SmallestMargin);
        Real(json, "scoreNoise", router.ScoreNoise);
        Real(json, "largestWeightError", router.LargestWeightError);
        json.WriteString("note", router.Note);
        json.WriteEndObject();
    }

    private static void WriteLogits(Utf8JsonWriter json, LogitsFinding? logits)
    {
        if (logits is null)
        {
            json.WriteNull("logits");
            return;
        }

        json.WriteStartObject("logits");
        json.WriteNumber("positions", logits.Positions);
        Real(json, "referenceToCandidate", logits.ReferenceToCandidate);
        Real(json, "candidateToReference", logits.CandidateToReference);
        Real(json, "noiseReferenceToCandidate", logits.NoiseReferenceToCandidate);
        Real(json, "sameBest", logits.SameBest);
        Real(json, "noiseSameBest", logits.NoiseSameBest);
        Real(json, "bestFiveAgreement", logits.BestFiveAgreement);
        json.WriteNumber("worstRank", logits.WorstRank);
        Real(json, "likelihoodDifference", logits.LikelihoodDifference);
        json.WriteStartArray("worst");
        foreach (LogitsPosition position in logits.Worst)
        {
            json.WriteStartObject();
            json.WriteNumber("token", position.Token);
            json.WriteNumber("id", position.Id);
            Real(json, "referenceToCandidate", position.ReferenceToCandidate);
            json.WriteNumber("referenceBest", position.ReferenceBest);
            json.WriteNumber("candidateBest", position.CandidateBest);
            json.WriteNumber("rank", position.Rank);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteLayer(Utf8JsonWriter json, int? layer)
    {
        if (layer is int number)
        {
            json.WriteNumber("layer", number);
        }
        else
        {
            json.WriteNull("layer");
        }
    }

    private static void WriteDistance(Utf8JsonWriter json, TapDistance distance)
    {
        json.WriteStartObject("distance");
        json.WriteNumber("compared", distance.Compared);
        Real(json, "l2Relative", distance.L2Relative);
        Real(json, "maxAbsolute", distance.MaxAbsolute);
        Real(json, "maxRelative", distance.MaxRelative);
        Real(json, "cosine", distance.Cosine);
        json.WriteNumber("maxUlps", distance.MaxUlps);
        Real(json, "normalisedMeanSquareError", distance.NormalisedMeanSquareError);
        Real(json, "signalToNoise", distance.SignalToNoise);
        json.WriteEndObject();
    }

    private static void WriteBand(Utf8JsonWriter json, string name, NoiseBand band)
    {
        json.WriteStartObject(name);
        Real(json, "l2Relative", band.L2Relative);
        Real(json, "tokenRelative", band.TokenRelative);
        Real(json, "largest", band.Largest);
        json.WriteEndObject();
    }

    private static void WriteWorst(Utf8JsonWriter json, WorstValue? worst)
    {
        if (worst is null)
        {
            json.WriteNull("worst");
            return;
        }

        json.WriteStartObject("worst");
        json.WriteString("index", worst.Index);
        json.WriteNumber("token", worst.Token);
        Real(json, "candidate", worst.Candidate);
        Real(json, "reference", worst.Reference);
        json.WriteEndObject();
    }
}
