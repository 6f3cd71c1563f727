using System;
using System.Diagnostics.CodeAnalysis;

namespace RingFlash.Reference.Numerics;

/// <summary>
/// Element-wise operators on several threads: rows are split among the workers, where there is enough to do for a
/// second thread to be worth waking. Every row is computed by itself, so the split does not show in the bits.
/// </summary>
internal static class RowSplit
{
    /// <summary>Fewer elements are done on the caller's thread.</summary>
    private const int LeastElements = 1 << 15;

    /// <summary>The work on consecutive rows.</summary>
    /// <typeparam name="TState">What it needs beside them.</typeparam>
    /// <param name="state">The same for every worker.</param>
    /// <param name="firstRow">The number of the first of them.</param>
    /// <param name="first">The rows of the first input.</param>
    /// <param name="second">The rows of the second input; empty where there is none.</param>
    /// <param name="output">The rows of the output.</param>
    public delegate void Body<TState>(
        in TState state, int firstRow, ReadOnlySpan<float> first, ReadOnlySpan<float> second, Span<float> output)
        where TState : allows ref struct;

    /// <summary>Whether to split.</summary>
    /// <param name="workers">The threads; null for none.</param>
    /// <param name="elements">The number of elements.</param>
    /// <returns>Whether there is more than one thread and enough to do.</returns>
    public static bool Pays([NotNullWhen(true)] WorkerPool? workers, int elements) =>
        workers is { ThreadCount: > 1 } && elements >= LeastElements;

    /// <summary>Runs; allocates nothing when the body is static.</summary>
    /// <typeparam name="TState">What the body needs beside the rows.</typeparam>
    /// <param name="workers">The threads.</param>
    /// <param name="rows">The number of rows, by which the lengths of all arrays are divisible.</param>
    /// <param name="first">[rows, …], read.</param>
    /// <param name="second">[rows, …], read; or empty.</param>
    /// <param name="output">[rows, …], written; may be an input when the body allows that.</param>
    /// <param name="state">For the body.</param>
    /// <param name="body">The work.</param>
    public static void Run<TState>(
        WorkerPool workers,
        int rows,
        ReadOnlySpan<float> first,
        ReadOnlySpan<float> second,
        Span<float> output,
        TState state,
        Body<TState> body)
        where TState : allows ref struct =>
        workers.Run(
            rows,
            new Work<TState>(rows, first, second, output, state, body),
            static (in work, firstRow, end, _) => work.Do(firstRow, end));

    private readonly ref struct Work<TState>(
        int rows,
        ReadOnlySpan<float> first,
        ReadOnlySpan<float> second,
        Span<float> output,
        TState state,
        Body<TState> body)
        where TState : allows ref struct
    {
        private readonly ReadOnlySpan<float> first = first;
        private readonly ReadOnlySpan<float> second = second;
        private readonly Span<float> output = output;
        private readonly TState state = state;
        private readonly Body<TState> body = body;
        private readonly int rows = rows;

        public void Do(int firstRow, int end)
        {
            int firstWidth = first.Length / rows, secondWidth = second.Length / rows, width = output.Length / rows;
            body(
                state,
                firstRow,
                first[(firstRow * firstWidth)..(end * firstWidth)],
                second[(firstRow * secondWidth)..(end * secondWidth)],
                output[(firstRow * width)..(end * width)]);
        }
    }
}
