using System.Collections.Generic;
using System.Linq;
using System.Text.Json;
using RingFlash.Cli.ServerCheck;
using RingFlash.Reference.Verification;

namespace RingFlash.Cli.Reports;

/// <summary>
/// A check of a server for machines, schema <c>ringflash-server-check/1</c>. NaN and the infinities are strings.
/// </summary>
internal static class ServerCheckJson
{
    /// <summary>The schema's name.</summary>
    public const string Schema = "ringflash-server-check/1";

    /// <summary>Writes the file, whole or not at all.</summary>
    /// <param name="path">The file.</param>
    /// <param name="report">The report.</param>
    public static void Save(string path, ServerCheckReport report) =>
        JsonFile.Save(path, Schema, json => WriteReport(json, report));

    private static void WriteReport(Utf8JsonWriter json, ServerCheckReport report)
    {
        json.WriteString("headline", ServerVerdict.Headline(report));
        json.WriteString("verdict", Word(report.Verdict));
        json.WriteNumber("exitCode", report.ExitCode);
        json.WriteString("address", report.Address);
        json.WriteString("model", report.Model);
        json.WriteString("precision", report.Precision);
        json.WriteNumber("requests", report.Requests);
        json.WriteNumber("compared", report.Compared);
        Strings(json, "failures", report.Failures);
        WriteServer(json, report.Identity);
        WritePrompts(json, report);
        WriteBand(json, report.Band);
        WriteScores(json, report);
        WriteGreedy(json, report.Greedy);
        WriteExperts(json, report.Experts);
        WriteInvariance(json, report);
        WriteOddities(json, report);
    }

    private static void WriteServer(Utf8JsonWriter json, ServerIdentity? server)
    {
        if (server is null)
        {
            json.WriteNull("server");
            return;
        }

        json.WriteStartObject("server");
        json.WriteString("api", server.Dialect.Name);
        json.WriteString("foundBy", server.FoundBy);
        json.WriteString("version", server.Version);
        json.WriteString("modelName", server.ModelName);
        json.WriteString("modelPath", server.ModelPath);
        Strings(json, "flags", server.Flags);
        json.WriteEndObject();
    }

    private static void WritePrompts(Utf8JsonWriter json, ServerCheckReport report)
    {
        json.WriteStartArray("prompts");
        foreach (IReadOnlyList<int> prompt in report.Prompts)
        {
            json.WriteStartArray();
            foreach (int id in prompt)
            {
                json.WriteNumberValue(id);
            }

            json.WriteEndArray();
        }

        json.WriteEndArray();
    }

    private static void WriteBand(Utf8JsonWriter json, NoiseBand? band)
    {
        if (band is null)
        {
            json.WriteNull("noise");
            return;
        }

        json.WriteStartObject("noise");
        json.WriteString("centre", band.Centre);
        WriteNoise(json, "allowed", band.Clean);
        WriteNoise(json, "allowedBehindNearTies", band.Behind);
        json.WriteStartArray("runs");
        foreach (RunDistance run in band.Runs)
        {
            json.WriteStartObject();
            json.WriteString("run", run.Name);
            WriteDifferences(json, run.Clean);
            json.WriteStartObject("behindNearTies");
            WriteDifferences(json, run.Behind);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteNoise(Utf8JsonWriter json, string name, Noise? noise)
    {
        if (noise is null)
        {
            json.WriteNull(name);
            return;
        }

        json.WriteStartObject(name);
        Real(json, "maximum", noise.Maximum);
        Real(json, "rootMeanSquare", noise.RootMeanSquare);
        json.WriteEndObject();
    }

    private static void WriteScores(Utf8JsonWriter json, ServerCheckReport report)
    {
        if (report.Scores is not ScoreComparison scores)
        {
            json.WriteNull("logProbabilities");
            return;
        }

        json.WriteStartObject("logProbabilities");
        json.WriteString("run", scores.Run);
        json.WriteBoolean("equalToTheBit", scores.All.AllEqual);
        Real(json, "ofNoise", scores.OfNoise);
        Real(json, "ofNoiseSingle", scores.OfNoiseSingle);
        Real(json, "ofNoiseRootMeanSquare", scores.OfNoiseClean);
        Real(json, "ofNoiseMedian", scores.OfNoiseMedian);
        json.WriteNumber("behindNearTies", scores.Behind.Count);
        Real(json, "divergence", scores.Divergence);
        json.WriteNumber("ranks", scores.Ranks);
        json.WriteNumber("wrongRanks", scores.WrongRanks);
        json.WriteNumber("lists", scores.Lists);
        json.WriteNumber("sameLists", scores.SameLists);
        json.WriteNumber("wrongLists", scores.WrongLists);
        json.WriteString("hint", report.Hint);
        json.WriteStartArray("rows");
        foreach (ScoreRow row in scores.Rows)
        {
            json.WriteStartObject();
            json.WriteString("what", row.What);
            WriteDifferences(json, row.Differences);
            Real(json, "ofNoise", row.OfNoise);
            if (row.Worst is WorstNumber worst)
            {
                json.WriteStartObject("worst");
                json.WriteNumber("prompt", worst.Sequence);
                json.WriteNumber("token", worst.Position);
                json.WriteNumber("id", worst.Id);
                Real(json, "served", worst.Served);
                Real(json, "ours", worst.Own);
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteStartArray("runs");
        foreach (ScoreComparison other in report.AllScores)
        {
            json.WriteStartObject();
            json.WriteString("run", other.Run);
            WriteDifferences(json, other.All);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteGreedy(Utf8JsonWriter json, GreedyComparison? greedy)
    {
        if (greedy is null)
        {
            json.WriteNull("greedy");
            return;
        }

        json.WriteStartObject("greedy");
        json.WriteNumber("tokens", greedy.Tokens);
        json.WriteNumber("same", greedy.Same);
        json.WriteNumber("nearTies", greedy.NearTies);
        json.WriteNumber("wrong", greedy.Wrong);
        json.WriteEndObject();
    }

    private static void WriteExperts(Utf8JsonWriter json, ExpertComparison? experts)
    {
        if (experts is null)
        {
            json.WriteNull("experts");
            return;
        }

        json.WriteStartArray("experts");
        foreach (ExpertRow row in experts.Rows)
        {
            json.WriteStartObject();
            json.WriteNumber("layer", row.Layer);
            json.WriteNumber("tokens", row.Tokens);
            json.WriteNumber("sameExperts", row.SameExperts);
            json.WriteNumber("sameOrder", row.SameOrder);
            json.WriteNumber("nearTies", row.NearTies);
            json.WriteNumber("wrong", row.Wrong);
            json.WriteNumber("behindNearTie", row.Behind);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteInvariance(Utf8JsonWriter json, ServerCheckReport report)
    {
        json.WriteStartArray("invariance");
        foreach (InvarianceRow row in report.Invariance)
        {
            json.WriteStartObject();
            json.WriteString("prompt", row.Name);
            WriteDifferences(json, row.Differences);
            json.WriteNumber("otherExperts", row.OtherExperts);
            json.WriteBoolean("beyondNoise", report.IsBeyondNoise(row));
            json.WriteString("note", row.Note);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteOddities(Utf8JsonWriter json, ServerCheckReport report)
    {
        json.WriteStartArray("oddities");
        foreach (Oddity oddity in report.Oddities.Found)
        {
            json.WriteStartObject();
            json.WriteString("name", oddity.Kind.Name);
            json.WriteString("weight", oddity.Kind.Weight.ToString().ToLowerInvariant());
            json.WriteNumber("count", oddity.Count);
            json.WriteString("place", oddity.Place);
            json.WriteString("detail", oddity.Detail);
            json.WriteString("consequence", oddity.Kind.Consequence);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteDifferences(Utf8JsonWriter json, Differences differences)
    {
        json.WriteNumber("compared", differences.Count);
        json.WriteNumber("equal", differences.Equal);
        Real(json, "maximum", differences.Maximum);
        Real(json, "mean", differences.Mean);
        Real(json, "rootMeanSquare", differences.RootMeanSquare);
        Real(json, "median", differences.Median);
    }

    private static string Word(Verdict verdict) => verdict switch
    {
        Verdict.Passed => "passed",
        Verdict.Failed => "failed",
        _ => "not-checked",
    };

    private static void Strings(
        Utf8JsonWriter json, string name, IReadOnlyList<string> values)
    {
        json.WriteStartArray(name);
        foreach (string value in values)
        {
            json.WriteStringValue(value);
        }

        json.WriteEndArray();
    }

    private static void Real(Utf8JsonWriter json, string name, double value)
    {
        if (double.IsFinite(value))
        {
            json.WriteNumber(name, value);
        }
        else
        {
            json.WriteString(name, NumberText.NonFinite(value));
        }
    }
}
