using System;
using System.Diagnostics.CodeAnalysis;

namespace RingFlash.Reference.Numerics;

/// <summary>
/// Element-wise operators on several threads: rows are split among the workers, where there is enough to do for a
/// second thread to be worth waking. Every row is computed by itself, so the split does not show in the bits.
/// </summary>
internal static class RowSplit
{
    /// <summary>Fewer elements are done on the caller's thread, without allocating a delegate.</summary>
    private const int LeastElements = 1 << 15;

    /// <summary>The work on consecutive rows.</summary>
    /// <param name="firstRow">The number of the first of them.</param>
    /// <param name="first">The rows of the first input.</param>
    /// <param name="second">The rows of the second input; empty where there is none.</param>
    /// <param name="output">The rows of the output.</param>
    public delegate void Body(
        int firstRow, ReadOnlySpan<float> first, ReadOnlySpan<float> second, Span<float> output);

    /// <summary>Whether to split.</summary>
    /// <param name="workers">The threads; null for none.</param>
    /// <param name="elements">The number of elements.</param>
    /// <returns>Whether there is more than one thread and enough to do.</returns>
    public static bool Pays([NotNullWhen(true)] WorkerPool? workers, int elements) =>
        workers is { ThreadCount: > 1 } && elements >= LeastElements;

    /// <summary>Runs.</summary>
    /// <param name="workers">The threads.</param>
    /// <param name="rows">The number of rows, by which the lengths of all arrays are divisible.</param>
    /// <param name="first">[rows, …], read.</param>
    /// <param name="second">[rows, …], read; or empty.</param>
    /// <param name="output">[rows, …], written; may be an input when the body allows that.</param>
    /// <param name="body">The work.</param>
    public static unsafe void Run(
        WorkerPool workers,
        int rows,
        ReadOnlySpan<float> first,
        ReadOnlySpan<float> second,
        Span<float> output,
        Body body)
    {
        int firstWidth = first.Length / rows, secondWidth = second.Length / rows, outputWidth = output.Length / rows;
        fixed (float* firstStart = first, secondStart = second, outputStart = output)
        {
            nint firstAddress = (nint)firstStart, secondAddress = (nint)secondStart, outputAddress = (nint)outputStart;
            workers.Run(rows, (row, end, _) => body(
                row,
                Rows(firstAddress, firstWidth, row, end),
                Rows(secondAddress, secondWidth, row, end),
                Rows(outputAddress, outputWidth, row, end)));
        }
    }

    private static unsafe Span<float> Rows(nint start, int width, int first, int end) =>
        width == 0 ? [] : new((float*)start + ((long)first * width), (end - first) * width);
}
