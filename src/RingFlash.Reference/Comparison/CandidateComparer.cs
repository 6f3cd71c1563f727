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
public sealed class CandidateComparer
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

    private void JudgePart(int layer, List<PartItem> items)
    {
        bool[] here = new bool[reference.Input.Ids.Length];
        string prefix = LayerName(layer);
        undecided.EnterLayer();
        foreach (PartItem item in items)
        {
            if (item is ChoiceItem choice)
            {
                here = JudgeChoice(layer, choice, items) ? RouterJudgement.Undecided(choice) : here;
            }
            else if (item is TapItem tap && reference.Flow.Find(tap.Name) is { } node)
            {
                bool isBehindChoice = tap.Name.StartsWith($"{prefix}mlp.", StringComparison.Ordinal)
                    || (tap.Name == $"{prefix}output" && !Holds($"{prefix}mlp.output"));
                JudgeTap(tap, node, token => undecided.IsBehind(token) || (isBehindChoice && here[token]));
            }
        }

        if (layer < 0 || Holds($"{prefix}output"))
        {
            undecided = Fresh();
        }
        else if (!Holds($"{prefix}mlp.output"))
        {
            for (int token = 0; token < here.Length; token++)
            {
                if (here[token])
                {
                    undecided.Add(token);
                }
            }
        }
    }

    // True when what follows depends on a choice that the dump does not hold.
    private bool JudgeChoice(int layer, ChoiceItem choice, List<PartItem> items)
    {
        string name = $"{choice.Name}.topk_idx";
        if (!candidate.Taps.TryGetValue(name, out CandidateTap? tap))
        {
            return true;
        }

        if (Holds($"{choice.Name}.scores"))
        {
            Array.Clear(choice.Noise); // the choice was made from the candidate's own scores
        }

        DataFlowNode node = reference.Flow.Find(name)!;
        FlowSegment segment = reference.Flow.SegmentOf(name, Holds);
        TapItem? weightItem = items.OfType<TapItem>().FirstOrDefault(item => item.Name == $"{choice.Name}.topk_weight");
        TapFinding? weights = weightItem is null ? null : BandBudget.Judge(
            weightItem, names, node, segment, precision != "float32", undecided.IsBehind);
        RouterFinding finding = RouterJudgement.Judge(
            choice, tap, weights, layer, router, undecided.IsBehind, out (WorstValue Value, double Over)? worst);
        routers.Add(finding);
        if (worst is { } found)
        {
            AddFault(node, segment, found.Value, found.Over, finding.Note);
        }

        return false;
    }

    private void JudgeTap(TapItem item, DataFlowNode node, Func<int, bool> isLeftOut)
    {
        FlowSegment segment = reference.Flow.SegmentOf(item.Name, Holds);
        TapFinding finding = BandBudget.Judge(item, names, node, segment, precision != "float32", isLeftOut);
        string recognised = Recognition.Alone(item);
        if (finding.Verdict == Verdict.Failed && recognised.Length == 0)
        {
            double tolerance = Math.Min(2 * finding.Budget.L2Relative, finding.Distance.L2Relative / 4);
            recognised = Recognition.OfTheReference(item, reference.Configuration.HeadDimension, tolerance);
        }

        finding = finding with
        {
            Recognised = recognised,
            Note = finding.Verdict == Verdict.NotChecked ? Undecided : finding.Note,
        };
        isolated.Add(finding);
        if (finding.Verdict == Verdict.Failed)
        {
            AddFault(node, segment, finding.Worst, finding.OverBudget, finding.Recognised);
        }
    }

    private void AddFault(
        DataFlowNode node, FlowSegment segment, WorstValue? worst, double over, string recognised) => faults.TryAdd(
            node.Name,
            new FirstFault(
                BandBudget.IdOf(node),
                node.Name,
                node.Layer,
                segment.Blocks,
                segment.Operators,
                segment.Inputs,
                worst,
                over,
                recognised,
                OperatorPage.FileOf(segment.Operators.Count == 0 ? string.Empty : segment.Operators[^1])));

    // Weights without the experts that they belong to were not fed in; rows that lack tokens were, as far as they go.
    private bool Holds(string name) =>
        candidate.Taps.ContainsKey(name)
        && (!name.EndsWith(".topk_weight", StringComparison.Ordinal)
            || candidate.Taps.ContainsKey(name.Replace(".topk_weight", ".topk_idx", StringComparison.Ordinal)));

    private NearTies Fresh() => new(reference.Input.Batch, reference.Input.Tokens, reference.Input.AttentionMask);

    private ComparisonReport Report(Coverage coverage, string ids)
    {
        FirstFault? first = reference.Flow.Nodes
            .Select(node => faults.GetValueOrDefault(node.Name))
            .FirstOrDefault(fault => fault is not null);
        HashSet<string> seen = options.Isolated
            ? [.. isolated.Select(finding => finding.Tap), .. routers.Select(Choice)]
            : [.. drift.Select(point => point.Tap)];
        string[] notCompared =
        [
            .. coverage.Unknown.Select(name => $"{name}: not part of the main model's pass"),
            .. isolated.Where(finding => finding.Verdict == Verdict.NotChecked)
                .Select(finding => $"{finding.Tap}: {finding.Note}"),
            .. candidate.Taps.Keys
                .Where(name => ids.Length == 0 && reference.Flow.Find(name) is not null && !seen.Contains(name))
                .Order(StringComparer.Ordinal)
                .Select(name => $"{name}: {WhyNot(name)}"),
            .. candidate.Misfits,
        ];
        bool isChecked = isolated.Exists(finding => finding.Verdict != Verdict.NotChecked && Tells(finding.Tap))
            || (!options.Isolated && drift.Exists(point => Tells(point.Tap)))
            || routers.Exists(finding => finding.Verdict != Verdict.NotChecked);
        bool isIncomplete = !options.AllowMissing && (coverage.Missing.Count > 0 || candidate.Doubles.Count > 0);
        ComparisonOutcome outcome = ids.Length > 0 ? ComparisonOutcome.NotChecked
            : first is not null ? ComparisonOutcome.Differs
            : !isChecked ? ComparisonOutcome.NotChecked
            : isIncomplete ? ComparisonOutcome.Incomplete
            : ComparisonOutcome.Agrees;
        ComparisonReport report = new()
        {
            Reference = reference.Description,
            Candidate = candidate.Description,
            Precision = precision,
            PrecisionReason = reason,
            Outcome = outcome,
            Headline = string.Empty,
            FirstFault = first,
            Isolated = isolated,
            Drift = drift,
            Variants = names,
            Routers = routers,
            Logits = logits,
            Preflight = ids.Length > 0 ? [ids, .. options.Preflight] : options.Preflight,
            Missing = coverage.Missing,
            NotDumped = coverage.NotDumped,
            Unmapped = candidate.Unmapped,
            Doubles = candidate.Doubles,
            NotCompared = notCompared,
            Unseen = Unseen(),
            Notes = candidate.Notes,
        };
        return report with { Headline = ComparisonHeadline.Of(report, ids) };
    }

    // Everything that no compared tap depends on, however far back.
    private string[] Unseen()
    {
        HashSet<string> seen = [];
        IEnumerable<string> compared = isolated.Where(finding => finding.Verdict != Verdict.NotChecked)
            .Select(finding => finding.Tap)
            .Concat(routers.Where(finding => finding.Verdict != Verdict.NotChecked).Select(Choice))
            .Concat(options.Isolated ? [] : drift.Select(point => point.Tap));
        foreach (string tap in compared)
        {
            seen.UnionWith(reference.Flow.SegmentOf(tap, seen.Contains).Nodes.Select(node => node.Name));
        }

        // Attention weights are a side branch: the context shows whether they are right.
        return [.. reference.Flow.Nodes.Select(node => node.Name)
            .Where(name => !seen.Contains(name) && !name.EndsWith(".attention.weights", StringComparison.Ordinal))];
    }

    private static string Choice(RouterFinding finding) => finding.Id.Split('/', 3)[2];

    // Embeddings are copies, rotary tables depend on positions alone: a broken model has them right.
    private static bool Tells(string tap) =>
        tap != DataFlow.Embeddings && !tap.Contains(".rotary_emb.", StringComparison.Ordinal);

    private string WhyNot(string name) =>
        options.Isolated ? "weights say nothing without the experts of topk_idx"
        : name.Contains(".gate.topk_", StringComparison.Ordinal) ? "choices are compared in the mode isolated"
        : "the golden case does not hold it, or holds other rows";
}
