using System;
using System.Collections.Generic;
using System.Diagnostics.CodeAnalysis;
using System.Linq;
using System.Threading;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Benchmarks;

/// <summary>Counts the weights that the routed experts read from their source: only those of experts that tokens were
/// sent to.</summary>
internal sealed class WeightsRead : IWeightSource
{
    private const int BytesPerWeight = 2; // bf16
    private readonly SyntheticSource inner;
    private long elements;

    private WeightsRead(SyntheticSource inner) => this.inner = inner;

    /// <inheritdoc/>
    public string Description => inner.Description;

    /// <inheritdoc/>
    public IReadOnlyCollection<TensorInfo> Tensors => inner.Tensors;

    /// <summary>Sends one token each to some experts of a layer that has more.</summary>
    /// <param name="model">The sizes.</param>
    /// <param name="hit">How many experts.</param>
    /// <param name="workers">The threads.</param>
    /// <returns>Bytes of weights that were read.</returns>
    public static double By(ModelConfiguration model, int hit, WorkerPool workers)
    {
        int hidden = model.HiddenSize, inner = model.ExpertIntermediateSize;
        (string Name, int Outputs, int Inputs)[] parts =
            [("gate", inner, hidden), ("up", inner, hidden), ("down", hidden, inner)];
        TensorInfo[] tensors = [.. Enumerable.Range(0, model.ExpertCount).SelectMany(expert => parts.Select(part =>
            new TensorInfo(
                $"experts.{expert}.{part.Name}.weight", ElementType.BFloat16, [part.Outputs, part.Inputs])))];
        WeightsRead source = new(new SyntheticSource("benchmark", 1, tensors));
        WeightMatrix[] matrices =
            [.. tensors.Select(tensor => new SourceMatrix(source, tensor, roundToBFloat16: false))];
        int[] chosen = [.. Enumerable.Range(0, hit)];
        RoutedExperts.Apply<Float32Precision>(
            ExecutionEngine.Vector512,
            workers,
            quantiseActivations: false,
            BenchmarkInputs.Values(hit * hidden, 1),
            ExpertDispatch.Group(chosen, topK: 1, model.ExpertCount),
            expert => new(matrices[3 * expert], matrices[(3 * expert) + 1], matrices[(3 * expert) + 2]),
            new float[hit * hidden]);
        return source.elements * (double)BytesPerWeight;
    }

    /// <inheritdoc/>
    public bool TryGetTensor(string name, [NotNullWhen(true)] out TensorInfo? tensor) =>
        inner.TryGetTensor(name, out tensor);

    /// <inheritdoc/>
    public void Read(TensorInfo tensor, long firstElement, Span<float> destination)
    {
        Interlocked.Add(ref elements, destination.Length);
        inner.Read(tensor, firstElement, destination);
    }

    /// <inheritdoc/>
    public void ReadPanel(TensorInfo tensor, long firstRow, long firstColumn, int columnCount, Span<float> panel)
    {
        Interlocked.Add(ref elements, panel.Length);
        inner.ReadPanel(tensor, firstRow, firstColumn, columnCount, panel);
    }

    /// <inheritdoc/>
    public void Dispose() => inner.Dispose();
}
