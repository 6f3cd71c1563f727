using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Threading;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using RingFlash.Reference.Verification;

namespace RingFlash.Reference.Comparison;

/// <summary>Compares another program's results with the reference and says where the first fault is.</summary>
/// <remarks>How budgets come about is on this folder's page.</remarks>
public sealed partial class CandidateComparer
{
    private const double FactorTolerance = 0.01;

    private const string Undecided = "lies behind a choice of experts that the dump does not hold";

    private static readonly Candidate Nobody =
        new() { Description = string.Empty, Taps = new Dictionary<string, CandidateTap>() };

    private readonly ComparisonReference reference;
    private readonly Candidate candidate;
    private readonly ComparisonOptions options;
    private readonly IReadOnlyList<LegalVariant> variants;
    private readonly string[] names;
    private readonly string precision;
    private readonly string reason;
    private readonly RouterShape router;
    private readonly List<TapFinding> isolated = [];
    private readonly List<DriftPoint> drift = [];
    private readonly List<RouterFinding> routers = [];
    private readonly Dictionary<string, FirstFault> faults = new(StringComparer.Ordinal);
    private NearTies undecided;
    private LogitsFinding? logits;

    private CandidateComparer(ComparisonReference reference, Candidate candidate, ComparisonOptions options)
    {
        this.reference = reference;
        this.candidate = candidate;
        this.options = options;
        router = RouterChoice.ShapeOf(reference.Configuration);
        (precision, reason) = options.Precision is null
            ? CandidatePrecision.Of(candidate, reference.Configuration.Quantization is not null)
            : (options.Precision, "as asked for");
        if (precision == "float32" && reference.Precision == "bfloat16")
        {
            (precision, reason) = ("bfloat16", "the golden case itself ran in bfloat16");
        }

        variants = !options.Isolated && reference.Taps.Count > 0 ? [] : LegalVariant.For(precision);
        names = [.. variants.Select(variant => variant.Name)];
        undecided = Fresh();
    }

    /// <summary>Compares.</summary>
    /// <param name="reference">The reference.</param>
    /// <param name="candidate">The candidate.</param>
    /// <param name="options">How.</param>
    /// <param name="progress">Told a step in words and the share that is done; or null.</param>
    /// <param name="cancellation">Stops between parts.</param>
    /// <returns>The report.</returns>
    /// <exception cref="InvalidInputException">A tap has other axes than the reference's.</exception>
    public static ComparisonReport Run(
        ComparisonReference reference,
        Candidate candidate,
        ComparisonOptions options,
        IProgress<(string Step, double Fraction)>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(reference);
        ArgumentNullException.ThrowIfNull(candidate);
        ArgumentNullException.ThrowIfNull(options);
        long start = Stopwatch.GetTimestamp();
        ComparisonReport report = RunOnce(reference, candidate, options, progress, cancellation);
        float factor = (float)reference.Configuration.RoutedScalingFactor;
        if (report.FirstFault is { } fault
            && fault.Tap.EndsWith(".gate.topk_weight", StringComparison.Ordinal)
            && fault.Worst is { } worst
            && Math.Abs((worst.Candidate * factor / worst.Reference) - 1) < FactorTolerance)
        {
            // A program may keep the factor out of the weights and apply it to the sum. If it does, the rest agrees.
            ComparisonReport later =
                RunOnce(reference, ScaledTap.Scale(candidate, factor), options, progress, cancellation);
            report = later.FirstFault is null ? later : report;
        }

        return report with { Elapsed = Stopwatch.GetElapsedTime(start) };
    }

    private static ComparisonReport RunOnce(
        ComparisonReference reference,
        Candidate candidate,
        ComparisonOptions options,
        IProgress<(string Step, double Fraction)>? progress,
        CancellationToken cancellation)
    {
        CandidateComparer comparer = new(reference, candidate, options);
        string ids = IdentityOfInputs.Difference(reference, candidate);
        if (ids.Length == 0 && !options.Isolated && reference.Taps.Count > 0)
        {
            comparer.Stream(progress, cancellation);
        }
        else if (ids.Length == 0 && candidate.Taps.Keys.Any(name => reference.Flow.Find(name) is not null))
        {
            using WorkerPool workers = new(options.ThreadCount);
            ModelWeightsByRounding weights = new(reference, workers);
            if (options.Isolated)
            {
                comparer.Walk(candidate, workers, weights, progress, 0, cancellation);
            }

            if (options.Free)
            {
                comparer.Walk(Nobody, workers, weights, progress, options.Isolated ? 0.5 : 0, cancellation);
            }
        }

        return comparer.Report(Coverage.Of(reference.Flow, candidate), ids);
    }

    // Stored against stored, without a model: the band is derived from the number of operations.
    private void Stream(IProgress<(string Step, double Fraction)>? progress, CancellationToken cancellation)
    {
        DriftBudget budget = new(reference.Configuration, reference.Flow, precision != "float32");
        DataFlowNode[] shared = [.. reference.Flow.Nodes.Where(node => reference.Taps.ContainsKey(node.Name)
            && candidate.Taps.ContainsKey(node.Name)
            && !node.Name.Contains(".gate.topk_", StringComparison.Ordinal))];
        for (int index = 0; index < shared.Length; index++)
        {
            DataFlowNode node = shared[index];
            progress?.Report((node.Name, (double)index / shared.Length));
            CandidateTap theirs = candidate.Taps[node.Name], ours = reference.Taps[node.Name];
            TapShape.Check(theirs, Array.ConvertAll([.. ours.Shape], axis => (int)axis));
            if (theirs.Rows is not null)
            {
                continue; // listed as not compared
            }

            TapDistance distance = StreamedDrift.Compare(theirs, ours, cancellation);
            NoiseBand band = budget.Of(node);
            drift.Add(new DriftPoint(node.Name, node.Layer, distance, band, []));
            if (!(distance.L2Relative <= band.L2Relative))
            {
                double over = distance.L2Relative / band.L2Relative;
                AddFault(
                    node,
                    reference.Flow.SegmentOf(node.Name, _ => false),
                    null,
                    double.IsNaN(over) ? double.PositiveInfinity : over,
                    "stored runs only: drift and fault cannot be told apart");
            }
        }
    }

    private static string LayerName(int layer) => FormattableString.Invariant($"model.layers.{layer}.");

    // The reference and every variant go through the parts side by side, so that one part is in memory at a time.
    private void Walk(
        Candidate fed,
        WorkerPool workers,
        ModelWeightsByRounding weights,
        IProgress<(string Step, double Fraction)>? progress,
        double done,
        CancellationToken cancellation)
    {
        bool isFree = ReferenceEquals(fed, Nobody);
        ReferenceTrace ours = new(reference, candidate, isFree);
        Float32Operators<Float32Precision> operators = new(ExecutionEngine.Vector512, workers);
        BlockIsolatedRun run = new(reference, fed, operators, weights.Get(false), ours);
        LogitsNoise logitsNoise = new(reference);
        VariantTrace[] traces =
            [.. variants.Select(_ => new VariantTrace(reference, isFree ? logitsNoise.Add : null))];
        BlockIsolatedRun[] runs = [.. variants.Select((variant, index) => new BlockIsolatedRun(
            reference, fed, variant.Create(workers), weights.Get(variant.RoundsWeights), traces[index]))];
        for (int part = 0; part < run.PartCount; part++)
        {
            string step = isFree ? "free" : "on the candidate's own values";
            progress?.Report((
                FormattableString.Invariant($"{step}: part {part + 1} of {run.PartCount}"),
                done + (0.5 * part / run.PartCount)));
            ours.Begin();
            run.RunNext();
            logitsNoise.Begin(ours.Items);
            for (int index = 0; index < runs.Length; index++)
            {
                cancellation.ThrowIfCancellationRequested();
                traces[index].Begin(ours.Items);
                runs[index].RunNext();
            }

            if (isFree)
            {
                AddDrift(ours.Items, logitsNoise);
            }
            else
            {
                JudgePart(part - 1, ours.Items);
            }
        }
    }

    private void AddDrift(List<PartItem> items, LogitsNoise noise)
    {
        foreach (TapItem item in items.OfType<TapItem>())
        {
            if (reference.Flow.Find(item.Name) is { } node)
            {
                drift.Add(BandBudget.Drift(item, node));
            }

            if (item.Name == DataFlow.Logits)
            {
                logits = noise.Finding(item);
            }
        }
    }
}
