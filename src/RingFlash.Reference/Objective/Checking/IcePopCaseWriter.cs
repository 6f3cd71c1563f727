using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Encodings.Web;
using System.Text.Json;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Objective.Checking;

/// <summary>
/// Writes a case in the schema of golden/icepop with what this library's objective says of it: <c>reference_f64</c> in
/// float64, <c>reference_f32</c> by the float32 engines. The file says so, because such a case is no outside authority.
/// </summary>
public static class IcePopCaseWriter
{
    private const string Provenance =
        "expected values computed by RingFlash.Reference's own float64 and float32 objective, not by another program";

    /// <summary>Writes a case.</summary>
    /// <param name="stream">Where to.</param>
    /// <param name="loss">The case.</param>
    /// <param name="seed">What it was made from.</param>
    public static void Write(Stream stream, IcePopCaseFile loss, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(loss);
        JsonWriterOptions options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using Utf8JsonWriter json = new(stream, options);
        RolloutBatch batch = loss.Batch;
        ObjectiveResult exact = PolicyObjective.Evaluate(batch, loss.Options);
        ObjectiveResult single = PolicyObjective.Evaluate(ExecutionEngine.Vector512, batch.ToSingle(), loss.Options);
        byte[] inRatios = KeepInRatios(loss, exact);
        json.WriteStartObject();
        json.WriteNumber("schema", 1);
        json.WriteString("case", loss.Name);
        json.WriteNumber("id", loss.Id ?? 0);
        json.WriteString("provenance", Provenance);
        json.WriteNumber("seed", seed);
        Strings(json, "tags", loss.Tags);
        json.WriteBoolean(
            "boundary_sensitive", !exact.Keep().SequenceEqual(inRatios) || !exact.Keep().SequenceEqual(single.Keep()));
        json.WriteNull("pair");
        IcePopCorrection band = (IcePopCorrection)loss.Options.Correction;
        IcePopValuesJson.Numbers(json, "config", new Dictionary<string, double>
        {
            ["alpha"] = band.Alpha,
            ["beta"] = band.Beta,
            ["eps_low"] = loss.Options.EpsilonLow,
            ["eps_high"] = loss.Options.EpsilonHigh,
            ["kl_coef"] = loss.Options.KullbackLeiblerCoefficient,
        });
        Integers(json, "shape", [batch.Rollouts, batch.ResponseLength]);
        Integers(json, "lengths", Enumerable.Range(0, batch.Rollouts).Select(row => (long)Length(batch, row)));
        Inputs(json, loss);
        json.WriteStartObject("reference_f64");
        IcePopValuesJson.Matrix(json, "k", batch, Array.ConvertAll(exact.LogRatios, Math.Exp));
        IcePopValuesJson.Flags(json, "keep_ratio_space", batch, inRatios);
        IcePopExpectation values = IcePopValues.From(exact);
        IcePopValuesJson.Write(json, batch, values, everything: true);
        json.WriteStartObject("analytic_grad");
        foreach ((string word, double[] gradient) in values.Gradient)
        {
            IcePopValuesJson.Matrix(json, word, batch, gradient);
        }

        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteStartObject("reference_f32");
        IcePopValuesJson.Write(
            json,
            batch,
            IcePopValues.From(single) with
            {
                Metrics = new Dictionary<string, double>(),
                Divergence = new Dictionary<string, DivergenceResult>(),
            },
            everything: false);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void Inputs(Utf8JsonWriter json, IcePopCaseFile loss)
    {
        RolloutBatch batch = loss.Batch;
        json.WriteStartObject("inputs");
        Integers(json, "group", batch.Groups ?? new long[batch.Rollouts]);
        IcePopValuesJson.Vector(json, "rewards", loss.Rewards ?? new double[batch.Rollouts]);
        IcePopValuesJson.Vector(json, "advantages", batch.Advantages);
        json.WriteBoolean("advantages_from_rewards", false);
        IcePopValuesJson.Flags(json, "mask", batch, batch.ResponseMask.ToArray());
        IcePopValuesJson.Matrix(json, "logp_theta", batch, batch.CurrentLogProbabilities);
        IcePopValuesJson.Matrix(json, "logp_old", batch, batch.OldLogProbabilities);
        IcePopValuesJson.Matrix(json, "logp_infer", batch, batch.InferenceLogProbabilities);
        if (batch.Arrays.Reference is { } reference)
        {
            IcePopValuesJson.Matrix(json, "logp_ref", batch, reference.AsSpan());
        }

        json.WriteEndObject();
    }

    private static byte[] KeepInRatios(IcePopCaseFile loss, ObjectiveResult exact)
    {
        IcePopCorrection band = (IcePopCorrection)loss.Options.Correction;
        byte[] keep = new byte[exact.LogRatios.Length];
        for (int index = 0; index < keep.Length; index++)
        {
            double ratio = Math.Exp(exact.LogRatios[index]);
            bool kept = loss.Batch.ResponseMask[index] != 0 && ratio >= band.Alpha && ratio <= band.Beta;
            keep[index] = kept ? (byte)1 : (byte)0;
        }

        return keep;
    }

    private static int Length(RolloutBatch batch, int row) =>
        batch.ResponseMask.Slice(row * batch.ResponseLength, batch.ResponseLength).LastIndexOf((byte)1) + 1;

    private static void Integers(Utf8JsonWriter json, string name, IEnumerable<long> values)
    {
        json.WriteStartArray(name);
        foreach (long value in values)
        {
            json.WriteNumberValue(value);
        }

        json.WriteEndArray();
    }

    private static void Strings(Utf8JsonWriter json, string name, IEnumerable<string> values)
    {
        json.WriteStartArray(name);
        foreach (string value in values)
        {
            json.WriteStringValue(value);
        }

        json.WriteEndArray();
    }
}
