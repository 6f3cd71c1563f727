using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Threading;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Model;

namespace RingFlash.Reference.Comparison;

/// <summary>
/// Looks at what must be equal before numbers mean anything: token ids, positions, mask, configuration, template,
/// tokenizer, the weights as loaded, and whether there is anything to compare.
/// </summary>
public static class Preflight
{
    private const string Embedding = "model.word_embeddings.output";

    /// <summary>Looks.</summary>
    /// <param name="configuration">The reference's model.</param>
    /// <param name="input">What the reference is fed.</param>
    /// <param name="weights">The reference's weights.</param>
    /// <param name="candidate">The candidate.</param>
    /// <param name="candidatePath">
    /// The dump; a <c>config.json</c> and a tokenizer in its folder are taken for those that it was made with.
    /// </param>
    /// <param name="referenceFolder">The reference's checkpoint folder; null without one.</param>
    /// <param name="cancellation">Stops between pieces of weights.</param>
    /// <returns>The report.</returns>
    public static PreflightReport Run(
        ModelConfiguration configuration,
        ForwardInput input,
        IWeightSource weights,
        Candidate candidate,
        string candidatePath,
        string? referenceFolder = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        ArgumentNullException.ThrowIfNull(input);
        ArgumentNullException.ThrowIfNull(weights);
        ArgumentNullException.ThrowIfNull(candidate);
        ArgumentException.ThrowIfNullOrEmpty(candidatePath);
        List<PreflightFinding> findings = [Ids(input, candidate), Positions(input, candidate), Mask(input, candidate)];
        findings.AddRange(Contents(candidate));
        string? folder = Directory.Exists(candidatePath) ? candidatePath : Path.GetDirectoryName(candidatePath);
        findings.AddRange(ConfigurationDifference.Find(configuration, folder));
        findings.AddRange(TokenizerDifference.Find(referenceFolder, folder));
        bool mustStop = findings.Any(finding => finding.Severity == PreflightSeverity.Stop);
        IReadOnlyList<WeightFinding> audited =
            mustStop ? [] : WeightAudit.Of(candidate.Weights, weights, configuration, cancellation);
        findings.AddRange(Weights(audited, candidate));
        return new PreflightReport { Findings = findings, Weights = audited };
    }

    private static PreflightFinding Ids(ForwardInput input, Candidate candidate)
    {
        const string Id = "input_ids";
        if (!candidate.Inputs.TryGetValue(Id, out CandidateTap? tap))
        {
            return new PreflightFinding(
                Id, PreflightSeverity.Fine, "token ids: not in the dump, so that they are equal is taken on trust");
        }

        string difference = IdentityOfInputs.Difference(tap, input.Ids, "token ids");
        return difference.Length == 0
            ? new PreflightFinding(Id, PreflightSeverity.Fine, "token ids: equal")
            : new PreflightFinding(Id, PreflightSeverity.Stop, difference);
    }

    private static PreflightFinding Positions(ForwardInput input, Candidate candidate)
    {
        const string Id = "position_ids";
        if (!candidate.Inputs.TryGetValue(Id, out CandidateTap? tap))
        {
            return new PreflightFinding(Id, PreflightSeverity.Fine, "positions: not in the dump");
        }

        long[] positions = input.Positions
            ?? [.. Enumerable.Range(0, input.Ids.Length).Select(row => (long)(row % input.Tokens))];
        string difference = IdentityOfInputs.Difference(tap, positions, "positions");
        return difference.Length == 0
            ? new PreflightFinding(Id, PreflightSeverity.Fine, "positions: equal")
            : new PreflightFinding(
                Id, PreflightSeverity.Warning, $"{difference}; everything behind the rotation differs with them");
    }

    private static PreflightFinding Mask(ForwardInput input, Candidate candidate)
    {
        const string Id = "attention_mask";
        if (!candidate.Inputs.TryGetValue(Id, out CandidateTap? tap))
        {
            return new PreflightFinding(Id, PreflightSeverity.Fine, "attention mask: not in the dump");
        }

        bool isPadding = tap.Shape.Count == 2 && tap.ElementType is not (ElementType.Float32 or ElementType.BFloat16
            or ElementType.Float16 or ElementType.Float64);
        if (!isPadding)
        {
            return new PreflightFinding(
                Id,
                PreflightSeverity.Fine,
                $"attention mask: of the axes {TensorInfo.FormatShape(tap.Shape)}, no padding mask; not compared");
        }

        long[] theirs = tap.ReadInt64();
        long[] ours = input.AttentionMask ?? [.. Enumerable.Repeat(1L, input.Ids.Length)];
        bool same = theirs.Select(value => value != 0).SequenceEqual(ours.Select(value => value != 0));
        return same
            ? new PreflightFinding(Id, PreflightSeverity.Fine, "attention mask: equal")
            : new PreflightFinding(
                Id,
                PreflightSeverity.Warning,
                "attention mask: padding stands elsewhere; real tokens are compared, in their order");
    }

    private static IEnumerable<PreflightFinding> Contents(Candidate candidate)
    {
        const string Id = "contents";
        if (candidate.Taps.Count == 0)
        {
            string names = candidate.Unmapped.Count == 0
                ? "the dump is empty"
                : $"the map knows none of its names, such as {string.Join(", ", candidate.Unmapped.Take(3))}";
            yield return new PreflightFinding(
                Id, PreflightSeverity.Stop, $"nothing to compare: the dump holds no tap of the reference; {names}");
        }
        else if (candidate.Taps.Keys.All(name => name is Embedding or "model.rotary_emb.cos" or "model.rotary_emb.sin"))
        {
            yield return new PreflightFinding(
                Id, PreflightSeverity.NoPass, "the dump holds embeddings or rotary tables only: that is no comparison");
        }

        if (candidate.Misfits.Count > 0)
        {
            yield return new PreflightFinding(
                "axes",
                PreflightSeverity.NoPass,
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{candidate.Misfits.Count} tensors do not fit, the first: {candidate.Misfits[0]}"));
        }

        if (candidate.Doubles.Count > 0)
        {
            yield return new PreflightFinding(
                "doubles",
                PreflightSeverity.NoPass,
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{candidate.Doubles.Count} taps are claimed twice, the first: {candidate.Doubles[0]}"));
        }
    }

    private static IEnumerable<PreflightFinding> Weights(IReadOnlyList<WeightFinding> audited, Candidate candidate)
    {
        const string Id = "weights";
        if (audited.Count == 0)
        {
            string why = candidate.Weights.Count == 0 ? "not in the dump" : "not looked at";
            yield return new PreflightFinding(Id, PreflightSeverity.Fine, $"weights: {why}");
            yield break;
        }

        foreach (IGrouping<WeightState, WeightFinding> group in audited
            .GroupBy(finding => finding.State).OrderBy(group => group.Key))
        {
            WeightFinding first = group.First();
            string numbers = first.State is WeightState.Equal or WeightState.Missing ? string.Empty
                : string.Create(
                    CultureInfo.InvariantCulture,
                    $" (norm {first.Norm:G6}, checkpoint {first.ReferenceNorm:G6}; first {first.FirstValues})");
            yield return new PreflightFinding(
                $"weights.{Words(group.Key).Id}",
                group.Key == WeightState.Equal ? PreflightSeverity.Fine : PreflightSeverity.Warning,
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"weights: {group.Count()} of {audited.Count} {Words(group.Key).Text}")
                + (group.Key == WeightState.Equal ? string.Empty : $": {first.Name}{numbers}"));
        }
    }

    private static (string Id, string Text) Words(WeightState state) => state switch
    {
        WeightState.Equal => ("equal", "equal the checkpoint's"),
        WeightState.RoundedToBFloat16 => ("bfloat16", "are the checkpoint's rounded to bfloat16"),
        WeightState.RoundedToFloat8 => ("float8", "are the checkpoint's as far as e4m3 goes"),
        WeightState.Transposed => ("transposed", "are transposed"),
        WeightState.OtherShape => ("shape", "have other axes"),
        WeightState.Missing => ("missing", "are missing, though the dump holds their like"),
        _ => ("other", "have other values"),
    };
}
