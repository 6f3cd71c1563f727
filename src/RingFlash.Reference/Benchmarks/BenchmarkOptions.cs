using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Configuration;

namespace RingFlash.Reference.Benchmarks;

/// <summary>A model whose sizes are measured.</summary>
/// <param name="Name">E.g. <c>ring-flash-2.0</c>.</param>
/// <param name="Configuration">The sizes.</param>
public sealed record BenchmarkShape(string Name, ModelConfiguration Configuration);

/// <summary>What to measure and how long.</summary>
public sealed record BenchmarkOptions
{
    /// <summary>The models.</summary>
    public IReadOnlyList<BenchmarkShape> Shapes { get; init; } =
        [.. BuiltInConfigurations.Names.Select(name => Shape(name))];

    /// <summary>Worker threads.</summary>
    public int ThreadCount { get; init; } = Environment.ProcessorCount;

    /// <summary>Only cases whose label contains this text; empty for all.</summary>
    public string Filter { get; init; } = string.Empty;

    /// <summary>Whether fewer sizes and fewer rounds are enough: for a first look, and for tests.</summary>
    public bool IsQuick { get; init; }

    /// <summary>What may be taken; null to ask the system.</summary>
    public long? AvailableMemoryBytes { get; init; }

    /// <summary>Sees what the vector path of a case returned before it is compared; a test makes a path wrong
    /// here.</summary>
    internal Action<string, float[]>? Spoil { get; init; }

    /// <summary>Bytes of a set of inputs, and of what is read for the bandwidth; null for eight caches. Tests need
    /// little.</summary>
    internal long? RotationBytes { get; init; }

    /// <summary>Tokens of the prompt that element-wise operators see.</summary>
    internal int PromptTokens => IsQuick ? 128 : 512;

    /// <summary>Responses of the objective's batch.</summary>
    internal int Rollouts => IsQuick ? 32 : 256;

    /// <summary>The rows that products are measured for.</summary>
    internal IReadOnlyList<int> Rows => IsQuick ? [1, 16, 64] : [1, 8, 16, 128, 512];

    /// <summary>Rounds go on until this time has passed.</summary>
    internal double SecondsPerCase => IsQuick ? 0.06 : 0.6;

    /// <summary>At least so many rounds.</summary>
    internal int FewestRounds => IsQuick ? 3 : 5;

    /// <summary>At most so many rounds.</summary>
    internal int MostRounds => IsQuick ? 7 : 31;

    /// <summary>A built-in shape.</summary>
    /// <param name="name">One of <see cref="BuiltInConfigurations.Names"/>.</param>
    /// <returns>The shape.</returns>
    public static BenchmarkShape Shape(string name) => new(name, BuiltInConfigurations.Get(name).Configuration);
}

/// <summary>Where a run stands.</summary>
/// <param name="Done">Cases behind it.</param>
/// <param name="Count">All cases.</param>
/// <param name="Step">What is measured now.</param>
public sealed record BenchmarkProgress(int Done, int Count, string Step);
