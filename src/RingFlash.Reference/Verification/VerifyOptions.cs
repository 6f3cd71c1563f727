using System;
using System.Collections.Generic;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Verification;

/// <summary>What to verify and how.</summary>
public sealed record VerifyOptions
{
    /// <summary>Case folders, or folders of case folders.</summary>
    public required IReadOnlyList<string> Paths { get; init; }

    /// <summary>The engines to run.</summary>
    public IReadOnlyList<ExecutionEngine> Engines { get; init; } = [ExecutionEngine.Vector512];

    /// <summary>The modes to run.</summary>
    public IReadOnlyList<VerifyMode> Modes { get; init; } = [VerifyMode.Isolated, VerifyMode.Free];

    /// <summary>Only cases whose name, or taps whose full name, contain this text; empty for all.</summary>
    public string Filter { get; init; } = string.Empty;

    /// <summary>The checkpoint that cases of real weights are run with; null when there is none.</summary>
    public string? Checkpoint { get; init; }

    /// <summary>
    /// The most bytes to take in all: weights are kept in memory as far as it goes. Null: each weight is read where it
    /// is multiplied. The numbers are the same.
    /// </summary>
    public long? MemoryLimit { get; init; }

    /// <summary>Worker threads; the number of processors by default.</summary>
    public int ThreadCount { get; init; } = Environment.ProcessorCount;
}

/// <summary>Where a verification stands; shown to a person on a terminal.</summary>
/// <param name="Run">The run's number, from 1.</param>
/// <param name="Runs">The number of runs.</param>
/// <param name="Case">The case.</param>
/// <param name="Engine">The engine's word.</param>
/// <param name="Mode">The mode.</param>
/// <param name="Step">What is being computed, e.g. <c>layer 3 of 32</c>.</param>
/// <param name="Fraction">The share of the run that is done, 0 … 1.</param>
public sealed record VerifyProgress(
    int Run, int Runs, string Case, string Engine, VerifyMode Mode, string Step, double Fraction);
