using System;
using System.Collections.Generic;
using System.Text.Json;

namespace RingFlash.Reference.Objective.Checking;

/// <summary>Writes values by the names of the case schema. JSON has no NaN and no infinity; they are the strings
/// <c>"NaN"</c>, <c>"Infinity"</c>, <c>"-Infinity"</c>.</summary>
public static class IcePopValuesJson
{
    private const int FlushAfter = 1 << 20; // the writer would hold a large case in memory as a whole

    /// <summary>Writes the properties that a set of values has into the open object: <c>loss</c>, <c>grad</c>,
    /// <c>keep</c>, <c>weight</c>, <c>metrics</c> and, with a KL term, <c>kl</c>.</summary>
    /// <param name="json">The writer, inside an object.</param>
    /// <param name="batch">The inputs, for the shape.</param>
    /// <param name="values">The values.</param>
    /// <param name="everything">Also <c>log_k</c>, <c>r</c>, <c>ppo_clipped</c>, <c>per_token_loss</c>.</param>
    public static void Write(Utf8JsonWriter json, RolloutBatch batch, IcePopExpectation values, bool everything)
    {
        ArgumentNullException.ThrowIfNull(json);
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(values);
        if (values.Loss.Count > 0)
        {
            Numbers(json, "loss", values.Loss);
        }

        if (values.Gradient.Count > 0)
        {
            json.WriteStartObject("grad");
            foreach ((string word, double[] gradient) in values.Gradient)
            {
                Matrix(json, word, batch, gradient);
            }

            json.WriteEndObject();
        }

        Flags(json, "keep", batch, values.Keep);
        Matrix(json, "weight", batch, values.Weight);
        if (everything)
        {
            Matrix(json, "log_k", batch, values.LogRatio);
            Matrix(json, "r", batch, values.PolicyRatio);
            Flags(json, "ppo_clipped", batch, values.Clipped);
            Matrix(json, "per_token_loss", batch, values.PerTokenLoss);
        }

        if (values.Metrics.Count > 0)
        {
            Numbers(json, "metrics", values.Metrics);
        }

        if (values.Divergence.Count > 0)
        {
            json.WriteStartObject("kl");
            foreach ((string key, DivergenceResult divergence) in values.Divergence)
            {
                json.WriteStartObject(key);
                Number(json, "kl", divergence.Value);
                Number(json, "total_loss", divergence.TotalLoss);
                Matrix(json, "grad", batch, divergence.TotalGradient);
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }
    }

    /// <summary>Writes a named number, or the string of one that is not finite.</summary>
    /// <param name="json">The writer, inside an object.</param>
    /// <param name="name">The property.</param>
    /// <param name="value">The number.</param>
    public static void Number(Utf8JsonWriter json, string name, double value)
    {
        ArgumentNullException.ThrowIfNull(json);
        json.WritePropertyName(name);
        Number(json, value);
    }

    internal static void Numbers(Utf8JsonWriter json, string name, IReadOnlyDictionary<string, double> values)
    {
        json.WriteStartObject(name);
        foreach ((string word, double value) in values)
        {
            Number(json, word, value);
        }

        json.WriteEndObject();
    }

    internal static void Vector(Utf8JsonWriter json, string name, ReadOnlySpan<double> values)
    {
        json.WriteStartArray(name);
        foreach (double value in values)
        {
            Number(json, value);
        }

        json.WriteEndArray();
    }

    internal static void Matrix(Utf8JsonWriter json, string name, RolloutBatch batch, ReadOnlySpan<double> values)
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
            if (json.BytesPending > FlushAfter)
            {
                json.Flush();
            }
        }

        json.WriteEndArray();
    }

    internal static void Flags(Utf8JsonWriter json, string name, RolloutBatch batch, byte[]? values)
    {
        if (values is not null)
        {
            Matrix(json, name, batch, Array.ConvertAll(values, flag => (double)flag));
        }
    }

    private static void Matrix(Utf8JsonWriter json, string name, RolloutBatch batch, double[]? values)
    {
        if (values is not null)
        {
            Matrix(json, name, batch, values.AsSpan());
        }
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
