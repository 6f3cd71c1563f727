using System.Collections.Generic;

namespace RingFlash.Reference.Comparison;

/// <summary>How a comparison is run.</summary>
public sealed record ComparisonOptions
{
    /// <summary>
    /// <c>float32</c>, <c>bfloat16</c> or <c>fp8</c>; null for what the candidate's stored values say.
    /// </summary>
    public string? Precision { get; init; }

    /// <summary>Whether taps that the dump ought to hold may be missing.</summary>
    public bool AllowMissing { get; init; }

    /// <summary>Whether every tap is computed from the candidate's own values.</summary>
    public bool Isolated { get; init; } = true;

    /// <summary>Whether the reference runs free beside, for the drift and the logits.</summary>
    public bool Free { get; init; } = true;

    /// <summary>What was seen before any number is compared, one line each.</summary>
    public IReadOnlyList<string> Preflight { get; init; } = [];

    /// <summary>Worker threads.</summary>
    public int ThreadCount { get; init; } = 1;
}
