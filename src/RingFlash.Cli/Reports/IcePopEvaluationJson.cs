using System;
using System.Collections.Generic;
using System.IO;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using RingFlash.Reference.Objective;
using RingFlash.Reference.Operators;

namespace RingFlash.Cli.Reports;

/// <summary>
/// Evaluations for machines, with the names of the case schema: <c>loss</c> and <c>grad</c> keyed by aggregation,
/// <c>keep</c>, <c>weight</c>, <c>metrics</c>, and <c>kl</c> where the case has a coefficient. JSON has no NaN and no
/// infinity; they are the strings <c>"NaN"</c>, <c>"Infinity"</c>, <c>"-Infinity"</c>.
/// </summary>
internal static class IcePopEvaluationJson
{
    /// <summary>The schema's name.</summary>
    public const string Schema = "ringflash-icepop-eval/1";

    private static readonly JsonSerializerOptions MetricsOptions = new()
    {
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    /// <summary>Writes all evaluations.</summary>
    /// <param name="stream">Where to.</param>
    /// <param name="evaluations">The evaluations.</param>
    public static void Write(Stream stream, IReadOnlyList<IcePopEvaluation> evaluations)
    {
        JsonWriterOptions options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using Utf8JsonWriter json = new(stream, options);
        json.WriteStartObject();
        json.WriteString("schema", Schema);
        json.WriteStartArray("cases");
        foreach (IcePopEvaluation evaluation in evaluations)
        {
            WriteCase(json, evaluation);
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteCase(Utf8JsonWriter json, IcePopEvaluation evaluation)
    {
        ObjectiveResult result = evaluation.Result;
        json.WriteStartObject();
        json.WriteString("case", evaluation.Case.Name);
        json.WriteString("precision", "float64");
        json.WriteBoolean("compared", evaluation.IsCompared);
        json.WriteString("difference", evaluation.Difference);
        json.WriteStartObject("loss");
        foreach (LossAggregationKind kind in ObjectiveWords.Aggregations)
        {
            json.WritePropertyName(kind.Word());
            Real(json, result.Loss(kind));
        }

        json.WriteEndObject();
        json.WriteStartObject("grad");
        foreach (LossAggregationKind kind in ObjectiveWords.Aggregations)
        {
            json.WritePropertyName(kind.Word());
            Rows(json, result.Gradient(kind), result.ResponseLength, Real);
        }

        json.WriteEndObject();
        json.WritePropertyName("keep");
        Rows(json, result.Keep(), result.ResponseLength, (writer, flag) => writer.WriteNumberValue(flag));
        json.WritePropertyName("weight");
        Rows(json, result.Weights, result.ResponseLength, Real);
        json.WritePropertyName("metrics");
        JsonSerializer.Serialize(json, result.Metrics, MetricsOptions);
        if (result.HasDivergence)
        {
            WriteDivergences(json, result);
        }

        json.WriteEndObject();
    }

    private static void WriteDivergences(Utf8JsonWriter json, ObjectiveResult result)
    {
        json.WriteStartObject("kl");
        foreach (KullbackLeiblerKind estimator in Enum.GetValues<KullbackLeiblerKind>())
        {
            foreach (LossAggregationKind kind in new[]
            {
                LossAggregationKind.SequenceMeanTokenMean, LossAggregationKind.TokenMean,
            })
            {
                DivergenceResult divergence = result.Divergence(estimator, kind);
                json.WriteStartObject($"{estimator.Word()}/{kind.Word()}");
                json.WritePropertyName("kl");
                Real(json, divergence.Value);
                json.WritePropertyName("total_loss");
                Real(json, divergence.TotalLoss);
                json.WritePropertyName("grad");
                Rows(json, divergence.TotalGradient, result.ResponseLength, Real);
                json.WriteEndObject();
            }
        }

        json.WriteEndObject();
    }

    private static void Rows<T>(Utf8JsonWriter json, T[] values, int responseLength, Action<Utf8JsonWriter, T> write)
    {
        json.WriteStartArray();
        for (int start = 0; responseLength > 0 && start < values.Length; start += responseLength)
        {
            json.WriteStartArray();
            foreach (T value in values.AsSpan(start, responseLength))
            {
                write(json, value);
            }

            json.WriteEndArray();
        }

        json.WriteEndArray();
    }

    private static void Real(Utf8JsonWriter json, double value)
    {
        if (double.IsFinite(value))
        {
            json.WriteNumberValue(value);
        }
        else
        {
            json.WriteStringValue(double.IsNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity");
        }
    }
}
