using System;
using System.IO;
using System.Text.Encodings.Web;
using System.Text.Json;
using RingFlash.Reference.Checkpoint;

namespace RingFlash.Reference.Objective.Mismatch;

/// <summary>
/// The metrics for machines, schema <c>ringflash-mismatch/1</c>. JSON has no NaN and no infinity; they are the strings
/// <c>"NaN"</c>, <c>"Infinity"</c>, <c>"-Infinity"</c>.
/// </summary>
public static class MismatchReportJson
{
    /// <summary>The schema's name.</summary>
    public const string Schema = "ringflash-mismatch/1";

    /// <summary>Writes the object to a file, whole or not at all.</summary>
    /// <param name="path">The file.</param>
    /// <param name="metrics">The metrics.</param>
    public static void Save(string path, MismatchMetrics metrics) =>
        AtomicFile.Write(path, stream => Write(stream, metrics));

    /// <summary>Writes the object and a line end.</summary>
    /// <param name="stream">Where to.</param>
    /// <param name="metrics">The metrics.</param>
    public static void Write(Stream stream, MismatchMetrics metrics)
    {
        ArgumentNullException.ThrowIfNull(stream);
        JsonWriterOptions options = new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using (Utf8JsonWriter json = new(stream, options))
        {
            Write(json, metrics);
        }

        stream.WriteByte((byte)'\n');
    }

    /// <summary>Writes the object as one value, for a document that holds more.</summary>
    /// <param name="json">Where to.</param>
    /// <param name="metrics">The metrics.</param>
    public static void Write(Utf8JsonWriter json, MismatchMetrics metrics)
    {
        ArgumentNullException.ThrowIfNull(json);
        ArgumentNullException.ThrowIfNull(metrics);
        MismatchInput input = metrics.Input;
        json.WriteStartObject();
        json.WriteString("schema", Schema);
        json.WriteString("train", input.Train.Source);
        json.WriteString("infer", input.Infer.Source);
        json.WriteNumber("rollouts", input.Rollouts);
        json.WriteNumber("response_length", input.Train.ResponseLength);
        json.WriteNumber("valid_tokens", input.ValidTokens);
        json.WriteNumber("nonfinite_tokens", input.NonFinite);
        json.WriteStartArray("warnings");
        foreach (string warning in input.Warnings)
        {
            json.WriteStringValue(warning);
        }

        json.WriteEndArray();
        json.WriteStartObject("options");
        Real(json, "alpha", metrics.Options.Alpha);
        Real(json, "beta", metrics.Options.Beta);
        Real(json, "sequence_cap", metrics.Options.SequenceCap);
        json.WriteEndObject();
        json.WriteStartObject("five_percent");
        Real(json, "mean_abs_logp_diff", metrics.MeanAbsoluteDifference);
        Real(json, "level", MismatchMetrics.FivePercentLevel);
        json.WriteBoolean("above", metrics.MeanAbsoluteDifference > MismatchMetrics.FivePercentLevel);
        json.WriteString("text", metrics.FivePercentText);
        json.WriteEndObject();
        WriteMetrics(json, metrics);
        WriteBands(json, metrics);
        WritePositions(json, metrics);
        WriteRouting(json, metrics.Routing);
        json.WriteEndObject();
    }

    internal static string BasisName(FormulaBasis basis) => basis switch
    {
        FormulaBasis.Defined => "defined",
        FormulaBasis.Run => "run",
        FormulaBasis.Read => "read",
        _ => "inferred",
    };

    private static void WriteMetrics(Utf8JsonWriter json, MismatchMetrics metrics)
    {
        json.WriteStartArray("metrics");
        foreach (MismatchMetric metric in metrics.All)
        {
            json.WriteStartObject();
            json.WriteString("framework", metric.Framework);
            json.WriteString("name", metric.Name);
            Real(json, "value", metric.Value);
            json.WriteString("formula", metric.Formula);
            json.WriteString("basis", BasisName(metric.Basis));
            json.WriteString("note", metric.Note);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteBands(Utf8JsonWriter json, MismatchMetrics metrics)
    {
        json.WriteStartArray("bands");
        foreach (BandShare share in metrics.Bands)
        {
            json.WriteStartObject();
            json.WriteString("used_by", share.Band.User);
            Real(json, "alpha", share.Band.Alpha);
            Real(json, "beta", share.Band.Beta);
            json.WriteNumber("masked_low", share.Low);
            json.WriteNumber("masked_high", share.High);
            json.WriteNumber("nonfinite", share.NonFinite);
            Real(json, "masked_share", share.Share);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WritePositions(Utf8JsonWriter json, MismatchMetrics metrics)
    {
        json.WriteStartArray("gap_by_position");
        foreach (PositionGap gap in metrics.GapByPosition)
        {
            json.WriteStartObject();
            json.WriteNumber("first", gap.First);
            json.WriteNumber("last", gap.Last);
            json.WriteNumber("tokens", gap.Tokens);
            Real(json, "mean_abs", gap.MeanAbsolute);
            Real(json, "max_abs", gap.LargestAbsolute);
            Real(json, "mean", gap.Mean);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteRouting(Utf8JsonWriter json, RoutingAgreement? routing)
    {
        if (routing is null)
        {
            json.WriteNull("routing");
            return;
        }

        json.WriteStartObject("routing");
        json.WriteNumber("not_told", routing.NotTold);
        json.WriteNumber("same_everywhere", routing.SameEverywhere);
        json.WriteNumber("different_somewhere", routing.DifferentSomewhere);
        Real(json, "mean_abs_same", routing.GapSame);
        Real(json, "mean_abs_different", routing.GapDifferent);
        json.WriteStartArray("layers");
        foreach (LayerAgreement layer in routing.Layers)
        {
            json.WriteStartObject();
            json.WriteNumber("layer", layer.Layer);
            json.WriteNumber("tokens", layer.Tokens);
            json.WriteNumber("same_set", layer.SameSet);
            json.WriteNumber("same_order", layer.SameOrder);
            Real(json, "mean_overlap", layer.MeanOverlap);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void Real(Utf8JsonWriter json, string name, double value)
    {
        if (double.IsFinite(value))
        {
            json.WriteNumber(name, value);
        }
        else
        {
            json.WriteString(name, double.IsNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity");
        }
    }
}
