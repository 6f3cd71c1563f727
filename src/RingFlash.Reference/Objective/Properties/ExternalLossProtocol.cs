using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Text.Json;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Objective.Properties;

/// <summary>The lines between <see cref="ExternalLoss"/> and a program: cases in the case schema out, answers
/// back.</summary>
internal static class ExternalLossProtocol
{
    /// <summary>A case as one line of JSON, its end included. The schema is that of golden/icepop.</summary>
    public static byte[] Question(string caseName, RolloutBatch batch, PolicyObjectiveOptions options)
    {
        if (options.Correction is not IcePopCorrection band)
        {
            throw new ArgumentException("A case has a band and no other correction.", nameof(options));
        }

        using MemoryStream line = new();
        using (Utf8JsonWriter json = new(line))
        {
            json.WriteStartObject();
            json.WriteNumber("schema", 1);
            json.WriteString("case", caseName);
            json.WriteStartObject("config");
            Number(json, "alpha", band.Alpha);
            Number(json, "beta", band.Beta);
            Number(json, "eps_low", options.EpsilonLow);
            Number(json, "eps_high", options.EpsilonHigh);
            json.WriteNumber("kl_coef", 0);
            json.WriteEndObject();
            json.WriteStartArray("shape");
            json.WriteNumberValue(batch.Rollouts);
            json.WriteNumberValue(batch.ResponseLength);
            json.WriteEndArray();
            json.WriteStartArray("lengths");
            for (int row = 0; row < batch.Rollouts; row++)
            {
                ReadOnlySpan<byte> mask =
                    batch.ResponseMask.Slice(row * batch.ResponseLength, batch.ResponseLength);
                json.WriteNumberValue(mask.LastIndexOf((byte)1) + 1);
            }

            json.WriteEndArray();
            json.WriteStartObject("inputs");
            json.WriteStartArray("advantages");
            foreach (double advantage in batch.Advantages)
            {
                Number(json, advantage);
            }

            json.WriteEndArray();
            Matrix(json, "mask", Array.ConvertAll(batch.ResponseMask.ToArray(), flag => (double)flag), batch);
            Matrix(json, "logp_theta", batch.CurrentLogProbabilities, batch);
            Matrix(json, "logp_old", batch.OldLogProbabilities, batch);
            Matrix(json, "logp_infer", batch.InferenceLogProbabilities, batch);
            if (!batch.ReferenceLogProbabilities.IsEmpty)
            {
                Matrix(json, "logp_ref", batch.ReferenceLogProbabilities, batch);
            }

            json.WriteEndObject();
            json.WriteEndObject();
        }

        line.WriteByte((byte)'\n');
        return line.ToArray();
    }

    /// <summary>Checks an answer.</summary>
    /// <param name="line">What the program wrote.</param>
    /// <param name="source">Program and case, for messages.</param>
    /// <param name="caseName">The name that was sent; an answer that has one must have the same.</param>
    /// <param name="batch">Gives the shapes.</param>
    /// <exception cref="LossRefusedException">The answer is an error.</exception>
    public static LossOutcome Answer(byte[] line, string source, string caseName, RolloutBatch batch)
    {
        using JsonDocument document = Parse(line, source);
        CaseJson json = new(source);
        JsonElement root = document.RootElement;
        if (root.ValueKind != JsonValueKind.Object)
        {
            throw json.Refuse("$", "an answer is one object on one line");
        }

        if (json.Text(root, "$", "case") is { } name && name != caseName)
        {
            throw json.Refuse("$.case", $"answers the case {name}");
        }

        if (json.Text(root, "$", "error") is { } error)
        {
            throw new LossRefusedException(error);
        }

        int rows = batch.Rollouts, columns = batch.ResponseLength;
        JsonElement gradients = json.Get(root, "$", "grad", JsonValueKind.Object);
        Dictionary<LossAggregationKind, double> losses = [];
        Dictionary<LossAggregationKind, double[]> slopes = [];
        foreach (JsonProperty loss in json.Get(root, "$", "loss", JsonValueKind.Object).EnumerateObject())
        {
            LossAggregationKind kind = json.Aggregation("$.loss", loss.Name);
            losses[kind] = json.Number(loss.Value, $"$.loss.{loss.Name}");
            slopes[kind] = json.Matrix(gradients, "$.grad", loss.Name, rows, columns);
        }

        return losses.Count == 0
            ? throw json.Refuse("$.loss", "must have at least one aggregation")
            : new LossOutcome
            {
                Loss = losses,
                Gradient = slopes,
                Keep = json.Has(root, "keep") ? json.Flags(root, "$", "keep", rows, columns) : null,
                Weight = json.Has(root, "weight") ? json.Matrix(root, "$", "weight", rows, columns) : null,
                Metrics = json.Has(root, "metrics") ? Metrics(json, root) : null,
            };
    }

    private static JsonDocument Parse(byte[] line, string source)
    {
        try
        {
            return StrictJson.Parse(line, source);
        }
        catch (InvalidInputException exception)
        {
            string text = System.Text.Encoding.UTF8.GetString(line, 0, Math.Min(line.Length, 80)).TrimEnd('\r');
            throw new InvalidInputException(
                source,
                string.Empty,
                $"the answer is not JSON (which has the strings \"NaN\", \"Infinity\", \"-Infinity\"): {text}",
                exception);
        }
    }

    /// <summary>All of the schema's metrics or none; what the schema does not have follows from the counts.</summary>
    private static ObjectiveMetrics Metrics(CaseJson json, JsonElement root)
    {
        const string Place = "$.metrics";
        JsonElement metrics = json.Get(root, "$", "metrics", JsonValueKind.Object);
        double Real(string key) => json.Number(metrics, Place, key);
        long Count(string key)
        {
            double count = Real(key);
            return count >= 0 && count <= long.MaxValue / 2 && Math.Floor(count) == count
                ? (long)count
                : throw json.Refuse($"{Place}.{key}", string.Create(
                    CultureInfo.InvariantCulture, $"must be a count; found {count}"));
        }

        long valid = Count("valid_tokens"), low = Count("masked_low"), high = Count("masked_high");
        long nonFinite = Count("nonfinite_log_ratio");
        return new ObjectiveMetrics(
            valid,
            valid - low - high - nonFinite,
            nonFinite,
            low,
            high,
            0,
            Real("clip_fraction"),
            Real("mean_abs_logp_diff"),
            Real("max_abs_logp_diff"),
            Real("k1_infer_train"),
            Real("k3_infer_train"),
            Real("ess_fraction"),
            Real("ppo_clip_fraction"));
    }

    private static void Matrix(Utf8JsonWriter json, string name, ReadOnlySpan<double> values, RolloutBatch batch)
    {
        json.WriteStartArray(name);
        for (int row = 0; row < batch.Rollouts; row++)
        {
            json.WriteStartArray();
            foreach (double value in values.Slice(row * batch.ResponseLength, batch.ResponseLength))
            {
                Number(json, value);
            }

            json.WriteEndArray();
        }

        json.WriteEndArray();
    }

    private static void Number(Utf8JsonWriter json, string name, double value)
    {
        json.WritePropertyName(name);
        Number(json, value);
    }

    private static void Number(Utf8JsonWriter json, double value)
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
