using System.Collections.Generic;
using System.IO;
using System.Text.Encodings.Web;
using System.Text.Json;
using RingFlash.Reference.Objective.Checking;

namespace RingFlash.Cli.Reports;

/// <summary>
/// Evaluations for machines, with the names of the case schema: <c>loss</c> and <c>grad</c> keyed by aggregation,
/// <c>keep</c>, <c>weight</c>, <c>metrics</c>, and <c>kl</c> where the case has a coefficient. <c>icepop check</c>
/// reads this.
/// </summary>
internal static class IcePopEvaluationJson
{
    /// <summary>The schema's name.</summary>
    public const string Schema = "ringflash-icepop-eval/1";

    /// <summary>Writes all evaluations. The values of a single case stand at the top level as well, where they are
    /// looked for first.</summary>
    /// <param name="stream">Where to.</param>
    /// <param name="evaluations">The evaluations.</param>
    /// <param name="everything">All per-token arrays, not only those that a case must have.</param>
    public static void Write(Stream stream, IReadOnlyList<IcePopEvaluation> evaluations, bool everything)
    {
        JsonWriterOptions options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using Utf8JsonWriter json = new(stream, options);
        json.WriteStartObject();
        json.WriteString("schema", Schema);
        if (evaluations.Count == 1)
        {
            WriteValues(json, evaluations[0], everything);
        }

        json.WriteStartArray("cases");
        foreach (IcePopEvaluation evaluation in evaluations)
        {
            json.WriteStartObject();
            WriteValues(json, evaluation, everything);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteValues(Utf8JsonWriter json, IcePopEvaluation evaluation, bool everything)
    {
        json.WriteString("case", evaluation.Case.Name);
        json.WriteString("profile", evaluation.Profile.Name);
        json.WriteString("precision", evaluation.Precision);
        json.WriteBoolean("compared", evaluation.IsCompared);
        json.WriteString("difference", evaluation.Difference);
        if (evaluation.Values is null)
        {
            json.WriteString("error", evaluation.Raised);
        }
        else
        {
            IcePopValuesJson.Write(json, evaluation.Case.Batch, evaluation.Values, everything);
        }
    }
}
