using System;
using System.Collections.Generic;

namespace RingFlash.Reference.Diagnosis;

/// <summary>How a diagnosis is run.</summary>
public sealed record DiagnosisOptions
{
    /// <summary>float32, bfloat16 or fp8; null for what the candidate's stored values say.</summary>
    public string? Precision { get; init; }

    /// <summary>Worker threads.</summary>
    public int ThreadCount { get; init; } = 1;

    /// <summary>The longest time that pairs of mistakes in one block are searched.</summary>
    public TimeSpan PairTime { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>The longest time to find out which mistakes would show.</summary>
    public TimeSpan ExclusionTime { get; init; } = TimeSpan.FromSeconds(45);

    /// <summary>What was seen before any number is compared, one line each.</summary>
    public IReadOnlyList<string> Preflight { get; init; } = [];
}
