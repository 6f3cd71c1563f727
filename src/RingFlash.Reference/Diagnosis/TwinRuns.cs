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

/// <summary>A variation of the model under a name.</summary>
/// <param name="Mistake">The mistake.</param>
/// <param name="Variant">The way to make it.</param>
internal sealed record Suspect(Mistake Mistake, MistakeVariant Variant)
{
    /// <summary>The catalogue, in its order.</summary>
    public static IReadOnlyList<Suspect> All { get; } =
        [.. MistakeCatalogue.All.SelectMany(mistake => mistake.Variants.Select(way => new Suspect(mistake, way)))];

    /// <summary>Id and value.</summary>
    public string Name => Variant.Value.Length == 0 ? Mistake.Id : $"{Mistake.Id}:{Variant.Value}";
}

/// <summary>A tap of a candidate against a twin: a run of the model with mistakes.</summary>
/// <param name="Tap">The tap.</param>
/// <param name="Layer">The layer; null outside of layers.</param>
/// <param name="Compared">Whether anything was.</param>
/// <param name="OverBudget">In units of the budget.</param>
/// <param name="Distance">The relative L2 distance from the nearest legal way to compute the twin.</param>
internal sealed record TwinTap(string Tap, int? Layer, bool Compared, double OverBudget, double Distance)
{
    /// <summary>Whether the candidate is within the budget of the twin.</summary>
    public bool Agrees => OverBudget <= 1;
}

/// <summary>Runs twins on a candidate's own values and holds them to the budgets of a comparison.</summary>
internal sealed class TwinRuns
{
    private readonly ComparisonReference reference;
    private readonly Candidate candidate;
    private readonly WorkerPool workers;
    private readonly bool underBFloat16;
    private readonly ExpertMemory memory = new();
    private readonly Dictionary<bool, ModelWeights> weights = [];

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
    /// <returns>How far: relative, the tokens that are furthest off left out; null when the twin cannot be made.</returns>
    public double? Measure(IReadOnlyList<Suspect> mistakes, string tap)
    {
        ScreeningTrace trace = new(reference, candidate, tap);
        int part = PartOf(tap), layer = part - 1;
        string attended = FormattableString.Invariant($"model.layers.{layer}.attention.dense.output");
        bool mayRest = Holds(attended) && tap != attended
            && (tap.Contains(".mlp.", StringComparison.Ordinal) || tap == DataFlow.LayerOutput(layer))
            && StartFor(part) == part;
        try
        {
            Walk(Make(mistakes, Own, mayRest), trace, StartFor(part), part, null);
        }
        catch (TapReachedException)
        {
            return trace.Error;
        }
        catch (InvalidInputException)
        {
            return null;
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
        try
        {
            Walk(Make(mistakes, null, false), ourStop, first, last, null);
        }
        catch (TapReachedException)
        {
            // as far as wanted
        }
        catch (InvalidInputException)
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
                Walk(Make(mistakes, variant, false), new StoppingTrace(theirs, tap), first, last, null);
            }
            catch (TapReachedException)
            {
                // as far as wanted
            }
        }

        return Judge(items, ShapeOf(mistakes));
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
        if (!weights.TryGetValue(rounds, out ModelWeights? held))
        {
            held = weights[rounds] = new ModelWeights(reference.Weights, reference.Configuration, rounds);
        }

        ModelParts parts = new(
            reference.Configuration,
            reference.Weights,
            held,
            rests ? new RestingAttention(operators) : operators,
            reference.Input)
        {
            RoundWeights = rounds,
        };
        return mistakes.Aggregate(parts, (made, suspect) => suspect.Variant.Apply(made));
    }

    private void Walk(ModelParts parts, ForwardTrace<float> trace, int first, int last, Action<int>? onPart)
    {
        BlockIsolatedRun run = new(
            reference, candidate, parts.Operators, parts.Weights, trace, parts.Configuration);
        if (first > 0 && !run.TryStartAt(first))
        {
            throw new ArgumentException($"part {first} has no known input", nameof(first));
        }

        for (int part = first; part <= last; part++)
        {
            onPart?.Invoke(part);
            run.RunNext();
        }
    }
}

/// <summary>Ends a run when it has shown what was wanted.</summary>
internal sealed class TapReachedException : Exception
{
}

/// <summary>Passes on what it is shown, up to one tap.</summary>
internal sealed class StoppingTrace(ForwardTrace<float> inner, string? last) : ForwardTrace<float>
{
    /// <inheritdoc/>
    public override bool Wants(string name) => inner.Wants(name);

    /// <inheritdoc/>
    public override void Tap(string name, HostTensor<float> tensor)
    {
        inner.Tap(name, tensor);
        Stop(name);
    }

    /// <inheritdoc/>
    public override void TapDecision(string name, RouterDecision<float> decision)
    {
        inner.TapDecision(name, decision);
        Stop($"{name}.topk_idx");
    }

    private void Stop(string name)
    {
        if (name == last)
        {
            throw new TapReachedException();
        }
    }
}

/// <summary>Measures one tap, and ends the run there.</summary>
internal sealed class ScreeningTrace(ComparisonReference reference, Candidate candidate, string wanted)
    : ForwardTrace<float>
{
    /// <summary>Of eight tokens, so many may be far off and are left out: near ties of the router.</summary>
    private const int OneOf = 8;

    /// <summary>The distance.</summary>
    public double Error { get; private set; } = double.PositiveInfinity;

    /// <inheritdoc/>
    public override bool Wants(string name) => name == wanted;

    /// <inheritdoc/>
    public override void Tap(string name, HostTensor<float> tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        if (name != wanted)
        {
            return;
        }

        HostTensor<float> theirs = new(tensor.Shape);
        tensor.Span.CopyTo(theirs.Span);
        TapShape.ReadInto(candidate.Taps[name], theirs, reference.Input.Tokens);
        TokenMap map = new(tensor.Shape.ToArray(), reference.Input.Batch, reference.Input.Tokens);
        double[] errors = TokenErrors.Between(theirs.Span, tensor.Span, map).Squared;
        double[] norms = TokenErrors.Squares(theirs.Span, map);
        int[] kept = [.. Enumerable.Range(0, errors.Length)
            .OrderBy(token => errors[token] / norms[token])
            .Take(errors.Length - (errors.Length / OneOf))];
        double error = Math.Sqrt(kept.Sum(token => errors[token])), norm = Math.Sqrt(kept.Sum(token => norms[token]));
        Error = error == 0 ? 0 : error / norm;
        throw new TapReachedException();
    }

    /// <inheritdoc/>
    public override void TapDecision(string name, RouterDecision<float> decision)
    {
        if ($"{name}.topk_idx" != wanted)
        {
            return;
        }

        RouterShape shape = RouterChoice.ShapeOf(reference.Configuration) with { TopK = decision.TopK };
        int[] theirs = RouterChoice.Read(candidate.Taps[wanted], decision.TopKWeights.Rows, shape);
        int tokens = decision.TopKWeights.Rows, wrong = 0;
        for (int token = 0; token < tokens; token++)
        {
            ReadOnlySpan<int> mine = theirs.AsSpan(token * shape.TopK, shape.TopK);
            wrong += RouterChoice.SameSet(decision.TopKIndices.AsSpan(token * shape.TopK, shape.TopK), mine) ? 0 : 1;
        }

        Error = (double)wrong / tokens;
        throw new TapReachedException();
    }
}

/// <summary>
/// Attention that is not computed, where its result is known and replaces it anyway: everything up to its output
/// projection is zero.
/// </summary>
internal sealed class RestingAttention(ForwardOperators<float> inner) : ForwardingOperators<float>(inner)
{
    private bool rests = true;

    /// <inheritdoc/>
    public override HostTensor<float> RmsNorm(HostTensor<float> x, float[] weight, float epsilon) =>
        rests ? x : Inner.RmsNorm(x, weight, epsilon);

    /// <inheritdoc/>
    public override HostTensor<float> RotaryEmbedding(
        HostTensor<float> x, HostTensor<float> cosine, HostTensor<float> sine) => x;

    /// <inheritdoc/>
    public override HostTensor<float> CausalAttention(
        AttentionShape shape,
        HostTensor<float> query,
        HostTensor<float> keys,
        HostTensor<float> values,
        byte[] visible,
        HostTensor<float>? weights) => new(shape.Batch, shape.QueryTokens, shape.Heads * shape.HeadDim);

    /// <inheritdoc/>
    public override HostTensor<float> LinearProjection(HostTensor<float> x, WeightMatrix weight, float[] bias)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(weight);
        if (!rests)
        {
            return Inner.LinearProjection(x, weight, bias);
        }

        rests = !weight.Name.EndsWith(".attention.dense.weight", StringComparison.Ordinal);
        return new HostTensor<float>([.. x.Shape[..^1], weight.Outputs]);
    }
}

/// <summary>What experts made of rows, so that twins that only route otherwise need not run them again.</summary>
internal sealed class ExpertMemory
{
    /// <summary>The input of the rows that are remembered.</summary>
    public float[] Input { get; set; } = [];

    /// <summary>The block.</summary>
    public SparseWeights? Experts { get; set; }

    /// <summary>By token and expert.</summary>
    public Dictionary<(int Token, int Expert), float[]> Rows { get; } = [];
}

/// <summary>Experts that are run once for each token.</summary>
internal sealed class RememberingExperts(ForwardOperators<float> inner, ExpertMemory memory)
    : ForwardingOperators<float>(inner)
{
    /// <inheritdoc/>
    public override HostTensor<float> RoutedExperts(
        HostTensor<float> x, RouterDecision<float> decision, SparseWeights experts)
    {
        ArgumentNullException.ThrowIfNull(x);
        if (!ReferenceEquals(memory.Experts, experts) || !memory.Input.AsSpan().SequenceEqual(x.Values))
        {
            (memory.Experts, memory.Input) = (experts, [.. x.Values]);
            memory.Rows.Clear();
        }

        HostTensor<float> outputs = new(x.Rows, decision.TopK, x.Width);
        int[] missing = [.. Enumerable.Range(0, x.Rows * decision.TopK)
            .Where(slot => !memory.Rows.ContainsKey((slot / decision.TopK, decision.TopKIndices[slot])))];
        if (missing.Length > 0)
        {
            HostTensor<float> made = Inner.RoutedExperts(x, decision, experts);
            for (int slot = 0; slot < x.Rows * decision.TopK; slot++)
            {
                memory.Rows[(slot / decision.TopK, decision.TopKIndices[slot])] = [.. made.Row(slot)];
            }
        }

        for (int slot = 0; slot < x.Rows * decision.TopK; slot++)
        {
            memory.Rows[(slot / decision.TopK, decision.TopKIndices[slot])].CopyTo(outputs.Row(slot));
        }

        return outputs;
    }
}
