using System.Collections.Generic;
using System.Linq;

namespace RingFlash.Reference.Comparison;

/// <summary>One line of a name map: what a tensor of this name is, and how it lies there.</summary>
internal sealed record NameMapEntry
{
    /// <summary>Its place in the map; the entries that the words of one line stand for share it.</summary>
    public int Line { get; init; }

    /// <summary>The names that it speaks of.</summary>
    public required NamePattern Name { get; init; }

    /// <summary>What the tensor is.</summary>
    public required MapTarget Target { get; init; }

    /// <summary>
    /// The name of the tap, input or weight, with the placeholders of <see cref="Name"/> and <c>{layer-1}</c>; for a
    /// tensor that is of no use, why.
    /// </summary>
    public required string TargetName { get; init; }

    /// <summary>The attribute of the tensor that is its layer, where the name holds none.</summary>
    public string? LayerAttribute { get; init; }

    /// <summary>
    /// Which call of its module it is of, where the dump counts them (<c>call</c>); a second call has its own lines.
    /// </summary>
    public int Call { get; init; } = 1;

    /// <summary>The axes that it may have, one list per form; empty for those of the tap.</summary>
    public IReadOnlyList<IReadOnlyList<AxisName>> Axes { get; init; } = [];

    /// <summary>Which tokens it holds.</summary>
    public TokenChoice Tokens { get; init; }

    /// <summary>Which part of the tap it is; none for all of it.</summary>
    public FusedPiece Piece { get; init; }

    /// <summary>Which part of this tensor is wanted; none for all of it.</summary>
    public FusedPiece Take { get; init; }

    /// <summary>Whether query, key and value heads lie per key-value group, as Megatron stores them.</summary>
    public bool IsGrouped { get; init; }

    /// <summary>Whether it is [n, experts] with zeros for the experts that were not chosen.</summary>
    public bool IsDenseRouting { get; init; }

    /// <summary>Whether it is to be multiplied by the model's <c>routed_scaling_factor</c>.</summary>
    public bool IsUnscaled { get; init; }

    /// <summary>Whether it is a weight stored [inputs, outputs].</summary>
    public bool IsTransposed { get; init; }

    /// <summary>How the ranks hold it.</summary>
    public RankParts Parts { get; init; }

    /// <summary>
    /// The attribute that is the rank; <c>tp_rank</c> unless the line says <c>ep_rank</c> or another.
    /// </summary>
    public string RankAttribute { get; init; } = "tp_rank";

    /// <summary>Another tensor that is added to this one; null for none.</summary>
    public NamePattern? Plus { get; init; }

    /// <summary>Whether it is a stack of the weights of all experts.</summary>
    public bool IsStack => Target == MapTarget.Weight
        && TargetName.Contains("{expert}", System.StringComparison.Ordinal) && !Name.Numbers.Contains("expert");

    /// <summary>Whether it is used only when no other tensor of the dump has the tap.</summary>
    public bool IsSpare { get; init; }

    /// <summary>Where that is known from.</summary>
    public string Source { get; init; } = string.Empty;
}

/// <summary>What a tensor of a dump is.</summary>
internal enum MapTarget
{
    /// <summary>A result of ours.</summary>
    Tap,

    /// <summary>Something that the pass was fed.</summary>
    Input,

    /// <summary>A weight of the checkpoint.</summary>
    Weight,

    /// <summary>Known, and nothing of ours.</summary>
    Nothing,
}

/// <summary>An axis of a tensor of a dump.</summary>
internal enum AxisName
{
    /// <summary><c>b</c>: sequences.</summary>
    Batch,

    /// <summary><c>t</c>: tokens of a sequence.</summary>
    Tokens,

    /// <summary><c>n</c>: all tokens, sequence after sequence.</summary>
    Rows,

    /// <summary><c>heads</c>.</summary>
    Heads,

    /// <summary><c>n*heads</c>: the heads of the first token, those of the second, ….</summary>
    RowsAndHeads,

    /// <summary><c>width</c>: values of a token, or of a head.</summary>
    Width,

    /// <summary><c>1</c>.</summary>
    One,
}

/// <summary>Which tokens a tensor holds.</summary>
internal enum TokenChoice
{
    /// <summary>All of them.</summary>
    All,

    /// <summary>The last of each sequence.</summary>
    Last,

    /// <summary>All or the last: its length tells.</summary>
    AllOrLast,
}

/// <summary>A part of something fused.</summary>
internal enum FusedPiece
{
    /// <summary>All of it.</summary>
    Whole,

    /// <summary>The query heads.</summary>
    Query,

    /// <summary>The key heads.</summary>
    Key,

    /// <summary>The value heads.</summary>
    Value,

    /// <summary>The gate half of gate-up.</summary>
    Gate,

    /// <summary>The up half of gate-up.</summary>
    Up,
}

/// <summary>How the ranks hold a tensor.</summary>
internal enum RankParts
{
    /// <summary>Every rank holds all of it.</summary>
    Copies,

    /// <summary>Rank after rank along the width; of a fused tensor each rank holds its share of every piece.</summary>
    Split,

    /// <summary>Rank after rank along the tokens: Megatron's sequence parallelism.</summary>
    Tokens,

    /// <summary>Each rank holds a summand: before the all-reduce.</summary>
    Sum,

    /// <summary>Of a weight: rank after rank along the inputs, the columns.</summary>
    Inputs,

    /// <summary>Of a stack of experts: rank after rank along the experts.</summary>
    Experts,
}
