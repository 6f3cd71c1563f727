using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Threading;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Verification;

/// <summary>Runs golden cases and compares every tap with the reference.</summary>
public static class Verifier
{
    /// <summary>Verifies.</summary>
    /// <param name="options">What to verify and how.</param>
    /// <param name="progress">Told where the work stands; or null.</param>
    /// <param name="cancellation">Stops between operators.</param>
    /// <returns>The report.</returns>
    /// <exception cref="InvalidInputException">A case breaks a rule.</exception>
    /// <exception cref="EnvironmentException">A folder or file is missing.</exception>
    public static VerifyReport Run(
        VerifyOptions options, IProgress<VerifyProgress>? progress = null, CancellationToken cancellation = default)
    {
        using EngineOperators engines = new();
        return Run(options, engines.Create, progress, cancellation);
    }

    /// <summary>Verifies a given set of operators; tests hand in sets with known mistakes.</summary>
    /// <param name="options">What to verify and how.</param>
    /// <param name="operators">Makes the operators under test.</param>
    /// <param name="progress">Told where the work stands; or null.</param>
    /// <param name="cancellation">Stops between operators.</param>
    /// <returns>The report.</returns>
    internal static VerifyReport Run(
        VerifyOptions options,
        OperatorFactory operators,
        IProgress<VerifyProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        long start = Stopwatch.GetTimestamp();
        using WorkerPool workers = new(options.ThreadCount);
        List<(string Folder, ExecutionEngine Engine, VerifyMode Mode)> runs = Plan(options, workers, cancellation);
        List<CaseResult> results = [];
        for (int index = 0; index < runs.Count; index++)
        {
            cancellation.ThrowIfCancellationRequested();
            (string folder, ExecutionEngine engine, VerifyMode mode) = runs[index];
            int number = index + 1;
            using GoldenCase golden = GoldenCase.Open(folder, options.Checkpoint);
            CaseRecorder recorder = new(golden, options.Filter);
            CaseContext context = new(
                golden,
                engine,
                mode,
                recorder,
                workers,
                operators,
                (step, fraction) => progress?.Report(new VerifyProgress(
                    number, runs.Count, golden.Name, engine.Word(), mode, step, fraction)),
                cancellation);
            context.Report("reading", 0);
            results.Add(RunCase(context));
        }

        return new VerifyReport(results, Stopwatch.GetElapsedTime(start), PeakMemory(), options.ThreadCount);
    }

    private static CaseResult RunCase(CaseContext context)
    {
        GoldenCase golden = context.Golden;
        long start = Stopwatch.GetTimestamp();
        string notChecked = string.Empty;
        switch (golden.Kind)
        {
            case "model" when golden.IsTraining:
                notChecked = "gradients need backward operators, which this build does not have";
                break;
            case "model" when golden.WeightsKind == GoldenCase.CheckpointWeights && !golden.HasKnownWeights:
                notChecked = "its weights are those of a checkpoint: name the folder with --model";
                break;
            case "model" when !golden.HasKnownWeights:
                string weightsKind = InvalidInputException.Escape($"{golden.WeightsKind} {golden.WeightsAlgorithm}");
                notChecked = $"weights of kind \"{weightsKind}\" are not supported by this build";
                break;
            case "model" when golden.UsesCache:
                DecodeCase.Run(context);
                break;
            case "model":
                ModelCase.Run(context);
                break;
            case "rope-tables":
                RotaryCase.Run(context);
                break;
            case "fp8-gemm":
                Float8Case.Run(context);
                break;
            default:
                string kind = InvalidInputException.Escape(golden.Kind);
                notChecked = $"cases of kind \"{kind}\" are not supported by this build";
                break;
        }

        TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
        double weights = Share(context.WeightTime / context.Workers.ThreadCount, elapsed);
        double comparing = Share(context.CompareTime, elapsed);
        CaseRecorder recorder = context.Recorder;
        return new CaseResult
        {
            Case = golden.Name,
            Folder = golden.Folder,
            Kind = golden.Kind,
            Engine = golden.Kind == "rope-tables" ? "host" : context.Engine.Word(),
            Mode = context.Mode,
            Precision = golden.Precision,
            Taps = recorder.Taps,
            Routing = recorder.Routing,
            NotCompared = notChecked.Length > 0 ? [] : recorder.NotCompared(),
            Notes = recorder.Notes,
            NotCheckedReason = notChecked,
            Elapsed = elapsed,
            WeightShare = weights,
            ModelShare = Math.Max(0, 1 - weights - comparing),
            CompareShare = comparing,
            FirstFailure = recorder.FirstFailure,
        };
    }

    private static List<(string Folder, ExecutionEngine Engine, VerifyMode Mode)> Plan(
        VerifyOptions options, WorkerPool workers, CancellationToken cancellation)
    {
        using CheckpointFolder? checkpoint =
            options.Checkpoint is null ? null : CheckpointFolder.Open(options.Checkpoint);
        List<(string Folder, ExecutionEngine Engine, VerifyMode Mode)> runs = [];
        foreach (string folder in options.Paths.SelectMany(GoldenCase.Find).Distinct(StringComparer.Ordinal))
        {
            GoldenManifest.Check(folder);
            using GoldenCase golden = GoldenCase.Open(folder, options.Checkpoint);
            if (!IsSelected(golden, options.Filter))
            {
                continue;
            }

            if (checkpoint is not null && golden.WeightsKind == GoldenCase.CheckpointWeights)
            {
                CaseWeights.Check(folder, checkpoint, workers, cancellation);
            }

            // Tables and single products have no drift; tables no engine; an unsupported case is named once.
            bool onePass = golden.Kind != "model" || golden.IsTraining;
            bool oneEngine = golden.Kind == "rope-tables" || golden.IsTraining;
            runs.AddRange(
                from mode in onePass ? options.Modes.Take(1) : options.Modes
                from engine in oneEngine ? options.Engines.Take(1) : options.Engines
                select (folder, engine, mode));
        }

        return runs;
    }

    private static bool IsSelected(GoldenCase golden, string filter) =>
        filter.Length == 0
        || golden.Name.Contains(filter, StringComparison.Ordinal)
        || golden.File.Tensors.Any(tensor => tensor.Name.Contains(filter, StringComparison.Ordinal));

    private static double Share(TimeSpan part, TimeSpan whole) =>
        whole > TimeSpan.Zero ? Math.Clamp(part / whole, 0, 1) : 0;

    private static long PeakMemory()
    {
        using Process process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64;
    }
}
