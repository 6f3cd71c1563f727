using System;
using System.Globalization;
using System.IO;
using System.Text.Encodings.Web;
using System.Text.Json;
using RingFlash.Reference.Benchmarks;
using RingFlash.Reference.Checkpoint;

namespace RingFlash.Cli.Reports;

/// <summary>
/// A benchmark for machines, schema <c>ringflash-bench/1</c>: the machine, its ceilings, and every sample of every
/// case. Times are seconds of one call; a ceiling that was far from binding and not measured in a round is null.
/// </summary>
internal static class BenchmarkJson
{
    /// <summary>The schema's name.</summary>
    public const string Schema = "ringflash-bench/1";

    /// <summary>The schema's name for cost growth.</summary>
    public const string GrowthSchema = "ringflash-bench-growth/1";

    private static readonly JsonWriterOptions Options =
        new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes a report, whole or not at all.</summary>
    /// <param name="path">The file.</param>
    /// <param name="report">The report.</param>
    public static void Save(string path, BenchmarkReport report) => Save(path, Schema, report.Machine, json =>
    {
        json.WriteNumber("elapsedSeconds", report.Elapsed.TotalSeconds);
        WriteNullable(json, "otherProcessors", report.OtherProcessors);
        json.WriteStartArray("ceilings");
        foreach (Ceiling ceiling in report.Ceilings)
        {
            WriteCeiling(json, ceiling);
        }

        json.WriteEndArray();
        json.WritePropertyName("ceilingOfRounds");
        WriteCeiling(json, report.CeilingOfRounds);
        json.WriteStartArray("cases");
        foreach (BenchmarkResult result in report.Results)
        {
            WriteCase(json, result);
        }

        json.WriteEndArray();
    });

    /// <summary>Writes how costs grow, whole or not at all.</summary>
    /// <param name="path">The file.</param>
    /// <param name="report">The report.</param>
    public static void Save(string path, GrowthReport report) => Save(path, GrowthSchema, report.Machine, json =>
    {
        json.WriteNumber("threads", report.ThreadCount);
        json.WriteNumber("elapsedSeconds", report.Elapsed.TotalSeconds);
        json.WriteStartArray("curves");
        foreach (GrowthCurve curve in report.Curves)
        {
            json.WriteStartObject();
            json.WriteString("cost", curve.Cost);
            json.WriteString("against", curve.Against);
            json.WriteString("unit", curve.IsMemory ? "bytes" : "seconds");
            json.WriteNumber("expectedExponent", curve.ExpectedExponent);
            json.WriteString("refusal", curve.Refusal);
            WriteNullable(json, "fittedExponent", curve.Refusal is null ? curve.FittedExponent : null);
            json.WriteStartArray("points");
            foreach ((double size, double cost) in curve.Points)
            {
                json.WriteStartObject();
                json.WriteNumber("size", size);
                json.WriteNumber("cost", cost);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndArray();
    });

    private static void Save(string path, string schema, MachineDescription machine, Action<Utf8JsonWriter> body) =>
        AtomicFile.Write(path, stream =>
        {
            using (Utf8JsonWriter json = new(stream, Options))
            {
                json.WriteStartObject();
                json.WriteString("schema", schema);
                json.WriteString("tool", $"ringflash {ToolVersion.Text}");
                WriteMachine(json, machine);
                body(json);
                json.WriteEndObject();
            }

            stream.WriteByte((byte)'\n');
        });

    private static void WriteMachine(Utf8JsonWriter json, MachineDescription machine)
    {
        json.WriteStartObject("machine");
        json.WriteString("processor", machine.Processor);
        json.WriteNumber("logicalProcessors", machine.LogicalProcessors);
        json.WriteString("instructionSet", machine.InstructionSet);
        json.WriteNumber("lastLevelCacheBytes", machine.LastLevelCacheBytes);
        json.WriteString("runtime", machine.Runtime);
        json.WriteString("operatingSystem", machine.OperatingSystem);
        json.WriteString("date", machine.Date.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture));
        json.WriteEndObject();
    }

    private static void WriteCeiling(Utf8JsonWriter json, Ceiling ceiling)
    {
        json.WriteStartObject();
        json.WriteNumber("threads", ceiling.Threads);
        json.WriteNumber("readBytesPerSecond", ceiling.ReadBytesPerSecond);
        json.WriteNumber("operationsPerSecond", ceiling.OperationsPerSecond);
        json.WriteEndObject();
    }

    private static void WriteCase(Utf8JsonWriter json, BenchmarkResult result)
    {
        json.WriteStartObject();
        json.WriteString("shape", result.Case.Shape);
        json.WriteString("operator", result.Case.Operator);
        json.WriteString("size", result.Case.Size);
        json.WriteString("floor", result.Case.Floor);
        json.WriteNumber("bytes", result.Case.Bytes);
        json.WriteNumber("operations", result.Case.Operations);
        json.WriteNumber("comparedOutputs", result.ComparedOutputs);
        json.WriteString("refusal", result.Refusal);
        if (result.Refusal is null)
        {
            json.WriteString("bound", result.IsReadBound ? "read" : "fma");
            WriteQuartiles(json, "seconds", result.Seconds);
            WriteQuartiles(json, "shareOfFloor", result.Share);
            if (result.Scaling is { } scaling)
            {
                WriteQuartiles(json, "timesOneThread", scaling);
            }
        }

        json.WriteStartArray("samples");
        foreach (BenchmarkSample sample in result.Samples)
        {
            json.WriteStartObject();
            json.WriteNumber("seconds", sample.Seconds);
            WriteNullable(json, "readSeconds", sample.ReadSeconds);
            WriteNullable(json, "computeSeconds", sample.ComputeSeconds);
            WriteNullable(json, "secondsOnOneThread", sample.SecondsAlone);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteQuartiles(Utf8JsonWriter json, string name, Quartiles quartiles)
    {
        json.WriteStartObject(name);
        json.WriteNumber("lower", quartiles.Lower);
        json.WriteNumber("median", quartiles.Median);
        json.WriteNumber("upper", quartiles.Upper);
        json.WriteEndObject();
    }

    private static void WriteNullable(Utf8JsonWriter json, string name, double? value)
    {
        if (value is { } number)
        {
            json.WriteNumber(name, number);
        }
        else
        {
            json.WriteNull(name);
        }
    }
}
