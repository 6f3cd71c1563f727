using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Checkpoint;

namespace RingFlash.Reference.Verification;

/// <summary>Collects the results of one run of a case, in the order of computation.</summary>
internal sealed class CaseRecorder
{
    private static readonly string[] Inputs = ["input_ids", "attention_mask", "position_ids", "labels", "positions"];

    private readonly GoldenCase golden;
    private readonly string filter;
    private readonly List<TapResult> taps = [];
    private readonly List<RoutingResult> routing = [];
    private readonly List<string> notes = [];
    private readonly HashSet<string> seen = [];

    /// <summary>Starts a run.</summary>
    /// <param name="golden">The case.</param>
    /// <param name="filter">Only taps whose name contains this text; empty for all.</param>
    public CaseRecorder(GoldenCase golden, string filter)
    {
        this.golden = golden;
        this.filter = filter;
        foreach (string input in Inputs)
        {
            seen.Add(input);
        }
    }

    /// <summary>The taps so far.</summary>
    public IReadOnlyList<TapResult> Taps => taps;

    /// <summary>The routers so far.</summary>
    public IReadOnlyList<RoutingResult> Routing => routing;

    /// <summary>The notes so far.</summary>
    public IReadOnlyList<string> Notes => notes;

    /// <summary>The first failure, in one line; empty when there is none.</summary>
    public string FirstFailure { get; private set; } = string.Empty;

    /// <summary>Whether a tensor of the case is to be compared.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="tensor">The tensor.</param>
    /// <returns>Whether.</returns>
    public bool Wants(string name, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out TensorInfo? tensor) =>
        golden.File.TryGetTensor(name, out tensor) && IsSelected(name);

    /// <summary>Marks a tensor of the case as an input or as compared elsewhere.</summary>
    /// <param name="name">Its name.</param>
    public void MarkSeen(string name) => seen.Add(name);

    /// <summary>Adds a note for the reader.</summary>
    /// <param name="note">One line.</param>
    public void AddNote(string note) => notes.Add(note);

    /// <summary>Adds the result of a tap.</summary>
    /// <param name="result">The result.</param>
    public void Add(TapResult result)
    {
        taps.Add(result);
        seen.Add(result.Tap);
        if (result.Verdict == Verdict.Failed && FirstFailure.Length == 0)
        {
            FirstFailure = Describe(result);
        }
    }

    /// <summary>Adds the result of a router.</summary>
    /// <param name="result">The result.</param>
    public void Add(RoutingResult result)
    {
        routing.Add(result);
        if (result.Verdict == Verdict.Failed && FirstFailure.Length == 0)
        {
            FirstFailure = $"GroupLimitedTopK chose other experts at {Layer(result.Gate)}{result.Note}; "
                + $"{result.Wrong} of {result.Tokens} tokens; reference code: "
                + OperatorPage.FileOf("GroupLimitedTopK");
        }
    }

    /// <summary>Tensors of the case that nothing was compared with.</summary>
    /// <returns>Their names.</returns>
    public IReadOnlyList<string> NotCompared() =>
        [.. golden.File.Tensors.Select(tensor => tensor.Name)
            .Where(name => !seen.Contains(name)
                && IsSelected(name)
                && !name.StartsWith("weights.", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal)];

    private bool IsSelected(string name) =>
        filter.Length == 0
        || golden.Name.Contains(filter, StringComparison.Ordinal)
        || name.Contains(filter, StringComparison.Ordinal);

    private static string Describe(TapResult result)
    {
        string culprit = result.Path.Count > 1
            ? $"{result.Operator} (or an operator before it: {string.Join(" → ", result.Path)})"
            : result.Operator;
        string token = result.Worst is { Token: >= 0 } ? $"token {result.Worst.Token}, " : string.Empty;
        string values = result.Worst is null
            ? result.Note
            : $"{result.Worst.Index} is {TapComparison.Number(result.Worst.Ours)}, "
                + $"published {TapComparison.Number(result.Worst.Golden)}";
        string by = double.IsFinite(result.OverBudget)
            ? string.Create(CultureInfo.InvariantCulture, $", {result.OverBudget:G3} × the budget")
            : string.Empty;
        return $"{culprit} is over budget at {Layer(result.Tap)}{token}{result.Tap}: {values}{by}; "
            + $"reference code: {OperatorPage.FileOf(result.Operator)}";
    }

    private static string Layer(string name)
    {
        const string Prefix = "model.layers.";
        int start = name.IndexOf(Prefix, StringComparison.Ordinal);
        if (start < 0)
        {
            return string.Empty;
        }

        string rest = name[(start + Prefix.Length)..];
        return $"layer {rest.Split('.', 2)[0]}, ";
    }
}
