// Shared by the model tests: precision policies that notice which code rounds. No product code is tested by it alone.
using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.Intrinsics;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Tests.Model;

/// <summary>
/// Rounds as another policy and notes whether vectors were rounded: only vector code does that, so it proves which
/// engine ran. The flag is static, so only one test class may use it.
/// </summary>
internal readonly struct Watched<TInner> : IPrecision
    where TInner : struct, IPrecision
{
    public static bool SawVector { get; set; }

    public static string Name => TInner.Name;

    public static double UnitRoundoff => TInner.UnitRoundoff;

    public static float Round(float value) => TInner.Round(value);

    public static Vector512<float> Round(Vector512<float> values)
    {
        SawVector = true;
        return TInner.Round(values);
    }
}

/// <summary>What is computed how.</summary>
public enum Policy
{
    /// <summary>float32 throughout.</summary>
    Float32,

    /// <summary>bfloat16 rounding points.</summary>
    BFloat16,

    /// <summary>Block-FP8 weights, dequantised.</summary>
    Float8Weights,

    /// <summary>Block-FP8 weights and quantised activations.</summary>
    Float8Activations,
}

internal static class Policies
{
    public static bool IsFloat8(this Policy policy) => policy is Policy.Float8Weights or Policy.Float8Activations;

    public static ModelConfiguration Configuration(this Policy policy, params (string Key, object? Value)[] changes) =>
        TinyModels.Read(
            [.. changes, ("quantization_config", policy.IsFloat8() ? TinyModels.Float8Blocks : null)]);

    public static ForwardOperators<float> Operators(this Policy policy, ExecutionEngine engine, WorkerPool workers) =>
        policy == Policy.BFloat16
            ? new Float32Operators<Watched<BFloat16Precision>>(engine, workers)
            : new Float32Operators<Watched<Float32Precision>>(engine, workers, policy == Policy.Float8Activations);

    /// <summary>Runs something and says whether vector code rounded in it.</summary>
    public static bool SawVector(this Policy policy, Action action)
    {
        Watched<BFloat16Precision>.SawVector = false;
        Watched<Float32Precision>.SawVector = false;
        action();
        return policy == Policy.BFloat16
            ? Watched<BFloat16Precision>.SawVector
            : Watched<Float32Precision>.SawVector;
    }
}

/// <summary>Notes the threads that read weights: every worker that computes reads some.</summary>
internal sealed class WatchedSource(IWeightSource inner) : IWeightSource
{
    public ConcurrentDictionary<int, bool> Threads { get; } = new();

    public string Description => inner.Description;

    public IReadOnlyCollection<TensorInfo> Tensors => inner.Tensors;

    public bool TryGetTensor(string name, [NotNullWhen(true)] out TensorInfo? tensor) =>
        inner.TryGetTensor(name, out tensor);

    public void Read(TensorInfo tensor, long firstElement, Span<float> destination)
    {
        Threads[Environment.CurrentManagedThreadId] = true;
        inner.Read(tensor, firstElement, destination);
    }

    public void ReadPanel(TensorInfo tensor, long firstRow, long firstColumn, int columnCount, Span<float> panel)
    {
        Threads[Environment.CurrentManagedThreadId] = true;
        inner.ReadPanel(tensor, firstRow, firstColumn, columnCount, panel);
    }

    public void Dispose() => inner.Dispose();
}
