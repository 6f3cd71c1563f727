using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Verification;

/// <summary>Runs a case of kind <c>rope-tables</c>: frequencies, cosines and sines, default and YaRN.</summary>
internal static class RotaryCase
{
    /// <summary>Runs.</summary>
    /// <param name="context">The case and where it goes.</param>
    public static void Run(CaseContext context)
    {
        GoldenCase golden = context.Golden;
        RotaryConfiguration rotary = ModelCase.RequireConfiguration(golden).Rotary;
        long[] positions = golden.RequireIntegers("positions", out _);
        if ((long)positions.Length * rotary.RotaryDimension > Array.MaxLength)
        {
            throw new InvalidInputException(
                golden.File.Description,
                "positions",
                $"{positions.Length} positions of {rotary.RotaryDimension} channels fit no array");
        }

        AddNote(context, rotary);
        RotaryConfiguration plain = rotary with
        {
            Scaling = RotaryScalingKind.Default,
            Factor = 1,
            OriginalMaxPositionEmbeddings = null,
            AttentionFactor = null,
            Mscale = null,
            MscaleAllDim = null,
        };
        foreach ((string prefix, RotaryConfiguration settings) in new[] { ("default", plain), ("yarn", rotary) })
        {
            RotaryTable table = RotaryTable.For(settings);
            CompareFrequencies(context, prefix, table);
            float[] cosine = new float[positions.Length * settings.RotaryDimension], sine = new float[cosine.Length];
            table.Fill(positions, cosine, sine);
            CompareTable(context, $"{prefix}.cos", cosine, Math.Cos, positions, table);
            CompareTable(context, $"{prefix}.sin", sine, Math.Sin, positions, table);
        }
    }

    /// <summary>Prints the scaling in force, factor and original length included, when there is one.</summary>
    /// <param name="context">The case.</param>
    /// <param name="rotary">Its rotary settings.</param>
    public static void AddNote(CaseContext context, RotaryConfiguration rotary)
    {
        if (rotary.Scaling != RotaryScalingKind.Default)
        {
            context.Recorder.AddNote(rotary.Describe());
        }
    }

    /// <summary>
    /// Compares <c>PREFIX.inv_freq</c> and <c>PREFIX.attention_scaling</c> where the case holds them.
    /// </summary>
    /// <param name="context">The case.</param>
    /// <param name="prefix">The prefix.</param>
    /// <param name="table">Our table.</param>
    public static void CompareFrequencies(CaseContext context, string prefix, RotaryTable table)
    {
        CaseRecorder recorder = context.Recorder;
        if (recorder.Wants($"{prefix}.inv_freq", out TensorInfo? frequencies))
        {
            CompareFrequencies(context, frequencies, table.InverseFrequencies);
        }

        if (recorder.Wants($"{prefix}.attention_scaling", out TensorInfo? scaling))
        {
            context.Golden.CheckShape(scaling.Name, 1);
            double golden = context.Golden.File.ReadAllDouble(scaling)[0];
            long ulps = UlpDistance.Between(table.AttentionScaling, golden);
            double difference = Math.Abs(table.AttentionScaling - golden);

            // One logarithm, one product, one sum, perhaps a quotient, in float64 on both sides.
            const double Budget = 4 * 1.1102230246251565e-16;
            recorder.Add(new TapResult
            {
                Tap = scaling.Name,
                Operator = nameof(RotaryTable),
                Path = [nameof(RotaryTable)],
                Compared = 1,
                MaxAbsolute = difference,
                MaxRelative = difference / Math.Abs(golden),
                L2Relative = difference / Math.Abs(golden),
                MaxUlps = ulps,
                MaxRelativeBudget = Budget,
                L2Budget = Budget,
                OverBudget = difference == 0 ? 0 : difference / Math.Abs(golden) / Budget,
                Worst = new WorstElement("[0]", -1, table.AttentionScaling, golden),
                Verdict = difference <= Budget * Math.Abs(golden) ? Verdict.Passed : Verdict.Failed,
            });
        }
    }

    /// <summary>
    /// Equal to the bit but where the C library's powf misses the nearest number by an ulp (RotaryPower): that is 2
    /// units of the power and at most as many again in its reciprocal and the mixing. Whatever differs is named.
    /// </summary>
    private static void CompareFrequencies(CaseContext context, TensorInfo tap, float[] ours)
    {
        float[] golden = context.Golden.File.ReadAllSingle(tap);
        HostTensor<float> gauge = new(ours.Length);
        Array.ConvertAll(ours, Math.Abs).CopyTo(gauge.Values, 0);
        Origin origin = Origin.Of(nameof(RotaryTable), 1, [], () => gauge, 4, 1);
        TapComparison.Terms terms = new(false, false);
        context.Recorder.Add(TapComparison.Compare(
            tap.Name, ours, golden, [.. tap.Shape], _ => -1, _ => false, origin, terms));
        string[] different = [.. Enumerable.Range(0, Math.Min(ours.Length, golden.Length))
            .Where(channel => ours[channel] != golden[channel])
            .Select(channel => string.Create(
                CultureInfo.InvariantCulture,
                $"channel {channel} by {UlpDistance.Between(ours[channel], golden[channel])} ulp"))];
        if (different.Length > 0)
        {
            context.Recorder.AddNote(
                $"{tap.Name}: {different.Length} of {golden.Length} differ: {string.Join(", ", different)}");
        }
    }

    private static void CompareTable(
        CaseContext context,
        string name,
        float[] ours,
        Func<double, double> function,
        long[] positions,
        RotaryTable table)
    {
        if (!context.Recorder.Wants(name, out TensorInfo? tap))
        {
            return;
        }

        float[] golden = context.Golden.File.ReadAllSingle(tap);
        HostTensor<float> gauge = new(ours.Length);
        gauge.Span.Fill((float)table.AttentionScaling);
        Origin origin = Origin.Of(nameof(RotaryTable), 1, [], () => gauge, 4, 1);
        context.Recorder.Add(TapComparison.Compare(
            name, ours, golden, [.. tap.Shape], _ => -1, _ => false, origin, new TapComparison.Terms(false, false)));
        if (golden.Length == ours.Length)
        {
            ExplainUlps(context.Recorder, name, ours, golden, function, positions, table);
        }
    }

    /// <summary>
    /// Every difference by name: the float32 angle is the same on both sides, so the float64 function of it says whose
    /// rounding is the farther one.
    /// </summary>
    private static void ExplainUlps(
        CaseRecorder recorder,
        string name,
        float[] ours,
        float[] golden,
        Func<double, double> function,
        long[] positions,
        RotaryTable table)
    {
        int pairs = table.InverseFrequencies.Length;
        List<string> places = [];
        int oursNearer = 0, beyondOne = 0;
        for (int index = 0; index < ours.Length; index++)
        {
            int channel = index % (2 * pairs);
            long ulps = UlpDistance.Between(ours[index], golden[index]);
            if (ulps == 0 || channel >= pairs)
            {
                continue; // the second half repeats the first
            }

            float angle = positions[index / (2 * pairs)] * table.InverseFrequencies[channel];
            double exact = function(angle) * (float)table.AttentionScaling;
            oursNearer += Math.Abs(ours[index] - exact) <= Math.Abs(golden[index] - exact) ? 1 : 0;
            beyondOne += ulps > 1 ? 1 : 0;
            double ourError = UlpDistance.UlpError(ours[index], exact);
            double theirError = UlpDistance.UlpError(golden[index], exact);
            places.Add(string.Create(
                CultureInfo.InvariantCulture,
                $"({positions[index / (2 * pairs)]}, {channel}) {ourError:F2}:{theirError:F2}"));
        }

        recorder.AddNote(places.Count == 0
            ? $"{name}: equal to the bit"
            : $"{name}: {places.Count} of {ours.Length / 2} differ, {places.Count - beyondOne} of them by 1 ulp, "
                + $"ours the nearer to the float64 value of the same float32 angle in {oursNearer}; "
                + $"(position, channel) error in ulp ours:published: {string.Join(", ", places)}");
    }
}
