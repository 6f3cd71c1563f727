using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Comparison;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using RingFlash.Reference.Verification;

namespace RingFlash.Reference.Diagnosis;

/// <summary>Runs twins on a candidate's own values and holds them to the budgets of a comparison.</summary>
internal sealed class TwinRuns
{
    /// <summary>So much memory may the experts of a layer take.</summary>
    private const long MostExpertBytes = 3L << 30;

    private readonly ComparisonReference reference;
    private readonly Candidate candidate;
    private readonly WorkerPool workers;
    private readonly bool underBFloat16;
    private readonly ExpertMemory memory = new();
    private readonly Dictionary<bool, ModelWeights> weights = [];
    private readonly List<WeightMatrix> packed = [];

    /// <summary>Prepares.</summary>
    /// <param name="reference">The model and its input.</param>
    /// <param name="candidate">Whose values.</param>
    /// <param name="precision">What it computes in.</param>
    /// <param name="workers">The threads.</param>
    public TwinRuns(ComparisonReference reference, Candidate candidate, string precision, WorkerPool workers)
    {
        this.reference = reference;
        this.candidate = candidate;
        this.workers = workers;
        underBFloat16 = precision != "float32";
        Variants = LegalVariant.For(precision);
    }

    /// <summary>The legal ways to compute.</summary>
    public IReadOnlyList<LegalVariant> Variants { get; }

    /// <summary>The way that twins are first computed in; null for the reference's own.</summary>
    public LegalVariant? Own { get; set; }

    /// <summary>The number of parts: embedding, layers, head.</summary>
    public int PartCount => reference.Configuration.LayerCount + 2;

    /// <summary>The part that makes a tap.</summary>
    /// <param name="tap">The tap.</param>
    /// <returns>0 for the embedding, l + 1 for layer l, the last for final norm and head.</returns>
    public int PartOf(string tap) => reference.Flow.Find(tap) switch
    {
        { Layer: int layer } => layer + 1,
        _ => tap == DataFlow.Embeddings ? 0 : PartCount - 1,
    };

    /// <summary>A tap's place in the order of computation.</summary>
    /// <param name="tap">The tap.</param>
    /// <returns>Its place; the last for one that is not part of the main pass.</returns>
    public int OrderOf(string tap)
    {
        for (int index = 0; index < reference.Flow.Nodes.Count; index++)
        {
            if (reference.Flow.Nodes[index].Name == tap)
            {
                return index;
            }
        }

        return int.MaxValue;
    }

    /// <summary>What kind of part one is: parts of a kind show the same mistakes.</summary>
    /// <param name="part">The part.</param>
    /// <returns>0 embedding, 1 dense layer, 2 sparse layer, 3 head.</returns>
    public int KindOf(int part) => part == 0 ? 0 : part == PartCount - 1 ? 3
        : reference.Configuration.IsDenseLayer(part - 1) ? 1
        : 2;

    /// <summary>The blocks of a part.</summary>
    /// <param name="part">The part.</param>
    /// <returns>The blocks.</returns>
    public ModelBlocks BlocksOf(int part) => KindOf(part) switch
    {
        0 => ModelBlocks.Embedding,
        3 => ModelBlocks.FinalNorm | ModelBlocks.Head,
        _ => ModelBlocks.Layer,
    };

    /// <summary>The blocks between a tap and the nearest values that the candidate holds.</summary>
    /// <param name="tap">The tap.</param>
    /// <returns>The blocks in which a mistake could explain the tap.</returns>
    public ModelBlocks BlocksBefore(string tap)
    {
        ModelBlocks blocks = ModelBlocks.None;
        foreach (DataFlowNode node in reference.Flow.SegmentOf(tap, Holds).Nodes)
        {
            blocks |= node.Name == DataFlow.FinalNorm ? ModelBlocks.FinalNorm
                : node.Name == DataFlow.Logits ? ModelBlocks.Head
                : node.Name == DataFlow.Embeddings ? ModelBlocks.Embedding
                : node.Name == DataFlow.LayerOutput(node.Layer ?? 0) ? ModelBlocks.LayerOutput
                : node.Name.Contains(".mlp.", StringComparison.Ordinal)
                    || node.Name.Contains(".post_attention_layernorm.", StringComparison.Ordinal)
                    || node.Name.EndsWith(".residual", StringComparison.Ordinal) ? ModelBlocks.FeedForward
                : ModelBlocks.Attention;
        }

        return blocks;
    }

    /// <summary>The nearest part up to this one at which a run can begin.</summary>
    /// <param name="part">The part.</param>
    /// <returns>0 where the candidate holds nothing nearer.</returns>
    public int StartFor(int part)
    {
        while (part > 0
            && !(candidate.Taps.TryGetValue(DataFlow.LayerOutput(part - 2), out CandidateTap? tap) && tap.Rows is null))
        {
            part--;
        }

        return part;
    }

    /// <summary>Whether the candidate holds a tap.</summary>
    /// <param name="tap">The tap.</param>
    /// <returns>Whether.</returns>
    public bool Holds(string tap) => candidate.Taps.ContainsKey(tap);

    /// <summary>Runs a twin in one way and measures one tap.</summary>
    /// <param name="mistakes">The mistakes.</param>
    /// <param name="tap">The tap.</param>
    /// <returns>How far; null when the twin cannot be made.</returns>
    public ScreeningError? Measure(IReadOnlyList<Suspect> mistakes, string tap)
    {
        ScreeningTrace trace = new(reference, candidate, tap);
        int part = PartOf(tap);
        try
        {
            Walk(Make(mistakes, Own, MayRest(tap)), trace, StartFor(part), part);
        }
        catch (TapReachedException)
        {
            return trace.Error;
        }
        catch (InvalidInputException)
        {
            return null;
        }
        catch (ArgumentException) when (mistakes.Count > 1)
        {
            return null; // two mistakes that cannot be made together
        }

        return trace.Error;
    }

    /// <summary>Runs a twin, with every legal way to compute it beside, and judges every tap of some parts.</summary>
    /// <param name="mistakes">The mistakes.</param>
    /// <param name="first">The first part; a run can begin there.</param>
    /// <param name="last">The last part.</param>
    /// <param name="tap">Only up to this tap; null for all of the parts.</param>
    /// <returns>The taps; null when the twin cannot be made.</returns>
    public IReadOnlyList<TwinTap>? Judge(IReadOnlyList<Suspect> mistakes, int first, int last, string? tap = null)
    {
        ReferenceTrace ours = new(reference, candidate, false);
        StoppingTrace ourStop = new(ours, tap);
        List<PartItem> items = [];
        bool rests = tap is not null && MayRest(tap);
        try
        {
            Walk(Make(mistakes, null, rests), ourStop, first, last);
        }
        catch (TapReachedException)
        {
            // as far as wanted
        }
        catch (InvalidInputException)
        {
            return null;
        }
        catch (ArgumentException) when (mistakes.Count > 1)
        {
            return null;
        }

        items.AddRange(ours.Items);
        foreach (LegalVariant variant in Variants)
        {
            VariantTrace theirs = new(reference, null);
            theirs.Begin(items);
            try
            {
                Walk(Make(mistakes, variant, rests), new StoppingTrace(theirs, tap), first, last);
            }
            catch (TapReachedException)
            {
                // as far as wanted
            }
        }

        return Judge(items, ShapeOf(mistakes));
    }

    /// <summary>
    /// Whether a twin would show: run in one way, some tap of the parts is outside of the budget that the comparison
    /// with the reference had.
    /// </summary>
    /// <param name="mistakes">The mistakes.</param>
    /// <param name="part">The part.</param>
    /// <param name="comparison">The comparison.</param>
    /// <returns>Whether; null when the twin is the reference, or cannot be made.</returns>
    public bool? Shows(IReadOnlyList<Suspect> mistakes, int part, ComparisonReport comparison)
    {
        ReferenceTrace trace = new(reference, candidate, false);
        try
        {
            if (IsReference(mistakes))
            {
                return null;
            }

            Walk(Make(mistakes, Own, false), trace, StartFor(part), part);
        }
        catch (InvalidInputException)
        {
            return null;
        }

        return trace.Items.Exists(item => item is ChoiceItem choice ? Differs(choice) : IsOutside((TapItem)item));

        bool IsOutside(TapItem tap)
        {
            TapFinding? plain = comparison.Isolated.FirstOrDefault(finding => finding.Tap == tap.Name);
            TokenErrors errors = TokenErrors.Between(tap.Candidate, tap.Reference, tap.Map);
            double norm = Math.Sqrt(TokenErrors.Squares(tap.Candidate, tap.Map).Sum());
            bool[] present = TapShape.Present(tap.Tap, tap.Map.Count);
            return plain is { TokensLeftOut: 0, Verdict: Verdict.Passed }
                && PartOf(tap.Name) == part
                && (!(Math.Sqrt(errors.Squared.Sum()) <= plain.Budget.L2Relative * norm)
                    || !(errors.Largest.Where((_, token) => present[token]).Max() <= plain.Budget.Largest));
        }

        bool Differs(ChoiceItem choice)
        {
            string name = $"{choice.Name}.topk_idx";
            RouterFinding? plain = comparison.Routers.FirstOrDefault(
                finding => finding.Id.EndsWith($"/{name}", StringComparison.Ordinal));
            if (plain is not { Verdict: Verdict.Passed } || !Holds(name))
            {
                return false;
            }

            int topK = choice.Indices.Length / choice.Margins.Length, same = 0;
            if (topK != reference.Configuration.ExpertsPerToken)
            {
                return true;
            }

            int[] theirs = RouterChoice.Read(
                candidate.Taps[name], choice.Margins.Length, RouterChoice.ShapeOf(reference.Configuration));
            for (int token = 0; token < choice.Margins.Length; token++)
            {
                same += RouterChoice.SameSet(
                    choice.Indices.AsSpan(token * topK, topK), theirs.AsSpan(token * topK, topK)) ? 1 : 0;
            }

            return same < plain.SameExperts;
        }
    }

    /// <summary>Whether mistakes change nothing at all with this model: a value that is the right one.</summary>
    /// <param name="mistakes">The mistakes.</param>
    /// <returns>Whether.</returns>
    public bool IsReference(IReadOnlyList<Suspect> mistakes)
    {
        ModelParts parts = Make([], null, false);
        return mistakes.Aggregate(parts, (made, suspect) => suspect.Variant.Apply(made)).Equals(parts);
    }

    /// <summary>Brings into memory what twins of a part multiply again and again; lets go of the part before.</summary>
    /// <param name="part">The part.</param>
    public void Prepare(int part)
    {
        foreach (WeightMatrix matrix in packed)
        {
            matrix.Unpack();
        }

        packed.Clear();
        int layer = part - 1;
        if (layer < 0 || layer >= reference.Configuration.LayerCount)
        {
            return;
        }

        ModelWeights held = WeightsFor(Own?.RoundsWeights ?? false);
        packed.AddRange(held.Dense(layer));
        string choice = FormattableString.Invariant($"model.layers.{layer}.mlp.gate.topk_idx");
        if (held.Layer(layer).Experts is { } sparse && candidate.Taps.TryGetValue(choice, out CandidateTap? tap))
        {
            int[] used = [.. tap.ReadInt64().Where(index => index >= 0 && index < sparse.ExpertCount)
                .Select(index => (int)index).Distinct()];
            if (used.Length * sparse.ExpertBytes <= MostExpertBytes)
            {
                packed.AddRange(used.Select(sparse.Expert)
                    .SelectMany(expert => new[] { expert.Gate, expert.Up, expert.Down }));
            }
        }

        foreach (WeightMatrix matrix in packed)
        {
            matrix.Pack(workers);
        }
    }

    // Attention need not be computed for a tap behind it where the candidate's own result replaces it anyway.
    private bool MayRest(string tap)
    {
        int part = PartOf(tap), layer = part - 1;
        string attended = FormattableString.Invariant($"model.layers.{layer}.attention.dense.output");
        return Holds(attended) && tap != attended && StartFor(part) == part
            && (tap.Contains(".mlp.", StringComparison.Ordinal) || tap == DataFlow.LayerOutput(layer));
    }

    private ModelWeights WeightsFor(bool rounds)
    {
        if (!weights.TryGetValue(rounds, out ModelWeights? held))
        {
            held = weights[rounds] = new ModelWeights(reference.Weights, reference.Configuration, rounds);
        }

        return held;
    }

    private RouterShape ShapeOf(IReadOnlyList<Suspect> mistakes) =>
        RouterChoice.ShapeOf(Make(mistakes, null, false).Configuration);

    private List<TwinTap> Judge(List<PartItem> items, RouterShape shape)
    {
        List<TwinTap> taps = [];
        NearTies undecided = new(reference.Input.Batch, reference.Input.Tokens, reference.Input.AttentionMask);
        bool[] here = new bool[reference.Input.Ids.Length];
        int? layer = null;
        foreach (PartItem item in items)
        {
            string name = item is ChoiceItem ? $"{item.Name}.topk_idx" : item.Name;
            if (reference.Flow.Find(name) is not { } node)
            {
                continue;
            }

            if (node.Layer != layer)
            {
                layer = node.Layer;
                undecided.EnterLayer();
            }

            if (item is ChoiceItem choice && Holds(name))
            {
                RouterFinding finding = RouterJudgement.Judge(
                    choice,
                    candidate.Taps[name],
                    null,
                    node.Layer!.Value,
                    shape,
                    undecided.IsBehind,
                    out (WorstValue Value, double OverBudget)? worst);
                double wrong = (double)finding.Wrong / Math.Max(1, finding.Tokens);
                taps.Add(new TwinTap(name, layer, finding.Tokens > 0, worst?.OverBudget ?? 0, wrong));
            }
            else if (item is ChoiceItem unknown)
            {
                here = RouterJudgement.Undecided(unknown);
                for (int token = 0; token < here.Length; token++)
                {
                    if (here[token])
                    {
                        undecided.Add(token);
                    }
                }
            }
            else if (item is TapItem tap)
            {
                FlowSegment segment = reference.Flow.SegmentOf(name, Holds);
                TapFinding finding = BandBudget.Judge(
                    tap, [.. Variants.Select(way => way.Name)], node, segment, underBFloat16, undecided.IsBehind);
                taps.Add(new TwinTap(
                    name,
                    layer,
                    finding.Verdict != Verdict.NotChecked,
                    finding.OverBudget,
                    Math.Min(finding.Distance.L2Relative, finding.NearestL2Relative)));
                if (name == $"model.layers.{layer}.output" || name == $"model.layers.{layer}.mlp.output")
                {
                    undecided = new(reference.Input.Batch, reference.Input.Tokens, reference.Input.AttentionMask);
                }
            }
        }

        return taps;
    }

    private ModelParts Make(IReadOnlyList<Suspect> mistakes, LegalVariant? way, bool rests)
    {
        bool rounds = way?.RoundsWeights ?? false;
        ForwardOperators<float> operators = way?.Create(workers)
            ?? new Float32Operators<Float32Precision>(ExecutionEngine.Vector512, workers);
        operators = way is null || ReferenceEquals(way, Own) ? new RememberingExperts(operators, memory) : operators;
        ModelParts parts = new(
            reference.Configuration,
            reference.Weights,
            WeightsFor(rounds),
            rests ? new RestingAttention(operators) : operators,
            reference.Input)
        {
            RoundWeights = rounds,
        };
        return mistakes.Aggregate(parts, (made, suspect) => suspect.Variant.Apply(made));
    }

    private void Walk(ModelParts parts, ForwardTrace<float> trace, int first, int last)
    {
        BlockIsolatedRun run = new(
            reference, candidate, parts.Operators, parts.Weights, trace, parts.Configuration);
        if (first > 0 && !run.TryStartAt(first))
        {
            throw new ArgumentException($"part {first} has no known input", nameof(first));
        }

        for (int part = first; part <= last; part++)
        {
            run.RunNext();
        }
    }
}
