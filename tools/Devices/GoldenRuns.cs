using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Runtime.InteropServices;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using RingFlash.Reference.Verification;

namespace RingFlash.Devices;

/// <summary>The golden cases on the device: within the published code's budgets, and with the CPU's bits.</summary>
internal static class GoldenRuns
{
    private const string RehearsedCase = "tiny-f32";

    /// <summary><c>verify</c> on all engines that are here.</summary>
    /// <param name="options">Where the cases are.</param>
    /// <returns>The verdicts.</returns>
    public static ReportSection Verify(ReportOptions options)
    {
        VerifyReport report = Verifier.Run(new VerifyOptions
        {
            Paths = [options.Golden],
            Engines = options.IsRehearsal
                ? [options.Engine]
                : [ExecutionEngine.Vector512, ExecutionEngine.IlgpuCpu, options.Engine],
            Modes = options.IsRehearsal ? [VerifyMode.Free] : [VerifyMode.Isolated, VerifyMode.Free],
            Filter = options.IsRehearsal ? RehearsedCase : string.Empty,
        });
        IEnumerable<string> bad = report.Cases
            .Where(run => run.Verdict != Verdict.Passed)
            .Select(run => $"{run.Case} {run.Engine} {VerifyReport.ModeWord(run.Mode)}: {run.Verdict} "
                + $"{run.NotCheckedReason}{run.FirstFailure}");
        return new ReportSection("goldens within budget", report.ExitCode == 0, [report.Headline, .. bad], []);
    }

    /// <summary>Every tap of every model case, bit for bit.</summary>
    /// <param name="options">Where the cases are.</param>
    /// <param name="host">The device.</param>
    /// <returns>A line for each case.</returns>
    public static ReportSection CompareBits(ReportOptions options, KernelHost host)
    {
        using WorkerPool workers = new(Environment.ProcessorCount);
        List<string> lines = [];
        bool passed = true;
        int cases = 0;
        foreach (string folder in GoldenCase.Find(options.Golden))
        {
            using GoldenCase golden = GoldenCase.Open(folder);
            if (golden.Kind != "model" || golden.IsTraining || golden.Configuration is null
                || (options.IsRehearsal && golden.Name != RehearsedCase))
            {
                continue;
            }

            cases++;
            bool bfloat16 = golden.Precision == BFloat16Precision.Name;
            HashTrace expected = Run(golden, bfloat16
                ? new Float32Operators<BFloat16Precision>(ExecutionEngine.Vector512, workers)
                : new Float32Operators<Float32Precision>(ExecutionEngine.Vector512, workers));
            HashTrace actual = Run(golden, bfloat16
                ? new DeviceOperators<BFloat16Precision>(host, workers)
                : new DeviceOperators<Float32Precision>(host, workers));
            string? first = expected.FirstDifference(actual);
            passed &= first is null && expected.Count > 0;
            lines.Add(string.Create(
                CultureInfo.InvariantCulture,
                $"{golden.Name,-18}{expected.Values,12:N0} values in {expected.Count} taps: ")
                + (first is null ? "the same bits" : $"first difference in {first}"));
        }

        return new ReportSection("bits of vector512 on the goldens", passed && cases > 0, lines, []);
    }

    private static HashTrace Run(GoldenCase golden, ForwardOperators<float> operators)
    {
        ModelConfiguration configuration = golden.Configuration!;
        using IWeightSource source = golden.OpenWeights(configuration);
        ModelWeights weights = new(source, configuration, golden.Precision == BFloat16Precision.Name);
        string decoded = golden.Holds("nextn1.sequence") ? "nextn1.sequence" : "nextn0.sequence";
        string name = golden.UsesCache ? decoded : "input_ids";
        long[] ids = golden.RequireIntegers(name, out IReadOnlyList<long> shape);
        ForwardInput input = golden.UsesCache
            ? new(ids, (int)shape[0])
            : new(ids, (int)shape[0])
            {
                Positions = ModelCase.Aligned(golden, "position_ids", shape),
                AttentionMask = ModelCase.Mask(golden, shape),
            };
        HashTrace trace = new();
        new RingFlashModel<float>(configuration, weights, operators).Forward(input, null, trace);
        return trace;
    }

    /// <summary>Keeps a hash of the bits of every tap; whole taps of two runs would not fit in memory.</summary>
    private sealed class HashTrace : ForwardTrace<float>
    {
        private readonly List<(string Name, ulong Hash)> taps = [];

        public int Count => taps.Count;

        public long Values { get; private set; }

        public override void Tap(string name, HostTensor<float> tensor) => Add(name, tensor.Values);

        public override void TapDecision(string name, RouterDecision<float> decision)
        {
            Add(name + ".topk_weight", decision.TopKWeights.Values);
            taps.Add((name + ".topk_idx", Hash(MemoryMarshal.AsBytes<int>(decision.TopKIndices))));
        }

        public string? FirstDifference(HashTrace other) => taps.Count != other.taps.Count
            ? $"the number of taps: {taps.Count} and {other.taps.Count}"
            : taps.Zip(other.taps).FirstOrDefault(pair => pair.First != pair.Second).First.Name;

        private void Add(string name, float[] values)
        {
            Values += values.Length;
            taps.Add((name, Hash(MemoryMarshal.AsBytes<float>(values))));
        }

        private static ulong Hash(ReadOnlySpan<byte> bytes) =>
            BitConverter.ToUInt64(System.Security.Cryptography.SHA256.HashData(bytes));
    }
}
