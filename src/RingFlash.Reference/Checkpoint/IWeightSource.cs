using System;
using System.Collections.Generic;
using System.Diagnostics.CodeAnalysis;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Checkpoint;

/// <summary>
/// A place that weights come from: a safetensors file, a Hugging Face folder, or a generator. Whoever asks for a weight
/// does not know which.
/// </summary>
/// <remarks>Implementations are safe to read from several threads at once.</remarks>
public interface IWeightSource : IDisposable
{
    /// <summary>What a person would call this source: a path, or <c>synthetic:ring-flash-2.0@1</c>.</summary>
    string Description { get; }

    /// <summary>Every tensor the source holds.</summary>
    IReadOnlyCollection<TensorInfo> Tensors { get; }

    /// <summary>Finds a tensor by its checkpoint name.</summary>
    /// <param name="name">The full name.</param>
    /// <param name="tensor">The tensor, when present.</param>
    /// <returns>Whether the source holds it.</returns>
    bool TryGetTensor(string name, [NotNullWhen(true)] out TensorInfo? tensor);

    /// <summary>Reads consecutive elements of a floating-point tensor, widened exactly to float32.</summary>
    /// <param name="tensor">A tensor of this source: F32, BF16, F16 or F8_E4M3 (the bare code value, unscaled).</param>
    /// <param name="firstElement">Row-major index of the first element.</param>
    /// <param name="destination">[count], float32, written.</param>
    /// <exception cref="InvalidInputException">The element type is not one of the four.</exception>
    /// <exception cref="EnvironmentException">The file shrank or cannot be read.</exception>
    void Read(TensorInfo tensor, long firstElement, Span<float> destination);

    /// <summary>
    /// Reads a tile of a matrix transposed into panel form, the layout of the product kernels:
    /// <c>panel[k · 32 + lane] = W[firstRow + lane, firstColumn + k]</c>, zero for rows beyond the matrix.
    /// </summary>
    /// <param name="tensor">A matrix of this source, [rows, columns].</param>
    /// <param name="firstRow">The first row; a multiple of 32.</param>
    /// <param name="firstColumn">The first column.</param>
    /// <param name="columnCount">The number of columns to read.</param>
    /// <param name="panel">[columnCount, 32], float32, written.</param>
    void ReadPanel(TensorInfo tensor, long firstRow, long firstColumn, int columnCount, Span<float> panel);

    /// <summary>Reads the same tile into the form in which panels are kept in memory.</summary>
    /// <param name="tensor">A matrix of this source, [rows, columns].</param>
    /// <param name="firstRow">The first row; a multiple of 32.</param>
    /// <param name="firstColumn">The first column.</param>
    /// <param name="columnCount">The number of columns to read.</param>
    /// <param name="format">How to store; the numbers must fit it exactly.</param>
    /// <param name="scratch">[columnCount, 32], overwritten by sources that make float32 first.</param>
    /// <param name="panel">[columnCount, 32] in the format, written.</param>
    /// <returns>False when a number has no place in the format: a NaN among e4m3 codes.</returns>
    bool PackPanel(
        TensorInfo tensor,
        long firstRow,
        long firstColumn,
        int columnCount,
        PanelFormat format,
        Span<float> scratch,
        Span<byte> panel)
    {
        ReadPanel(tensor, firstRow, firstColumn, columnCount, scratch);
        return PanelFormats.Store(format, scratch, panel);
    }
}
