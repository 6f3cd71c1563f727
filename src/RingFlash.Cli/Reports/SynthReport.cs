using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.Encodings.Web;
using System.Text.Json;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using Spectre.Console;

namespace RingFlash.Cli.Reports;

/// <summary>What <c>ringflash synth</c> did.</summary>
/// <param name="Options">What was asked for.</param>
/// <param name="Checkpoint">What it came to.</param>
/// <param name="Folder">Where it lies.</param>
/// <param name="Shards">What was done to each file.</param>
/// <param name="Elapsed">The time for all.</param>
internal sealed record SynthReport(
    SyntheticCheckpointOptions Options,
    SyntheticCheckpoint Checkpoint,
    string Folder,
    IReadOnlyList<ShardResult> Shards,
    TimeSpan Elapsed)
{
    /// <summary>The schema's name.</summary>
    public const string Schema = "ringflash-synth-report/1";

    private long WrittenBytes =>
        Shards.Where(shard => shard.Outcome != ShardOutcome.Kept).Sum(shard => shard.Bytes);

    /// <summary>Writes the report for people.</summary>
    /// <param name="console">Where to.</param>
    public void Write(IAnsiConsole console)
    {
        ReportText text = new(console);
        ModelConfiguration model = Checkpoint.Configuration;
        string mtp = model.MtpLayerIndex is null ? string.Empty : " and an MTP layer";
        string layers = Options.Layers is null ? string.Empty : $", layers {Options.Layers} of the whole model";
        text.Line(
            $"{Options.Name}{layers}: {model.LayerCount} layers{mtp}, "
            + $"{NumberText.Count(ParameterCounts.For(model).Total)} parameters, {Checkpoint.Storage.Word()}, "
            + $"seed {Options.Seed}");
        text.Blank();
        ReportTable table = new(
            new ReportColumn("file", 40), new ReportColumn("bytes", 18, Right: true), new ReportColumn("", 9));
        foreach (ShardResult shard in Shards)
        {
            table.Add(shard.FileName, NumberText.Count(shard.Bytes), Word(shard.Outcome));
        }

        table.Write(console);
        text.Blank();
        long written = WrittenBytes;
        string speed = string.Create(CultureInfo.InvariantCulture, $"{written / 1e9 / Elapsed.TotalSeconds:0.00}");
        text.Line(
            written == 0
                ? $"all {Shards.Count} files were there and right; checked in {NumberText.Time(Elapsed)}"
                : $"{NumberText.Count(written)} bytes written in {NumberText.Time(Elapsed)}, {speed} GB/s with flush");
        if (model.MtpLayerIndex is not null && Checkpoint.Storage == WeightStorage.Float8)
        {
            text.Line(
                "note: eh_proj of the MTP layer stays bf16, as the published converter leaves it; loaders that expect "
                + "every linear layer in FP8 (SGLang since its pull request 17808) may refuse it");
        }

        text.Line($"folder: {Folder}");
    }

    /// <summary>Writes the report for machines.</summary>
    /// <param name="stream">Where to.</param>
    public void WriteJson(Stream stream)
    {
        JsonWriterOptions options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using Utf8JsonWriter json = new(stream, options);
        json.WriteStartObject();
        json.WriteString("schema", Schema);
        json.WriteString("folder", Folder);
        json.WriteString("config", Options.Name);
        json.WriteString("seed", Options.Seed.ToString(CultureInfo.InvariantCulture));
        json.WriteString("dtype", Checkpoint.Storage.Word());
        json.WriteString("layers", Options.Layers?.ToString() ?? "all");
        json.WriteNumber("parameters", ParameterCounts.For(Checkpoint.Configuration).Total);
        json.WriteStartArray("files");
        foreach (ShardResult shard in Shards)
        {
            json.WriteStartObject();
            json.WriteString("name", shard.FileName);
            json.WriteNumber("bytes", shard.Bytes);
            json.WriteString("outcome", Word(shard.Outcome));
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteNumber("bytes_written", WrittenBytes);
        json.WriteNumber("seconds", Elapsed.TotalSeconds);
        json.WriteEndObject();
    }

    private static string Word(ShardOutcome outcome) => outcome switch
    {
        ShardOutcome.Written => "written",
        ShardOutcome.Kept => "kept",
        _ => "replaced",
    };
}
