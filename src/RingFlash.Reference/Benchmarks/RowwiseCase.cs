using System;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Benchmarks;

/// <summary>What an operator does to rows, however many there are.</summary>
/// <param name="engine">Who computes.</param>
/// <param name="workers">The threads.</param>
/// <param name="first">[rows, …].</param>
/// <param name="second">[rows, …]; empty for operators with one input.</param>
/// <param name="output">[rows, …], written.</param>
internal delegate void RowwiseOperator(
    ExecutionEngine engine, WorkerPool workers, float[] first, float[] second, float[] output);

/// <summary>A case whose rows do not know each other; a few of them are its check.</summary>
internal sealed record RowwiseCase
{
    private const int SampledRowCount = 3;

    /// <summary>The model.</summary>
    public required string Shape { get; init; }

    /// <summary>Tokens of the prompt.</summary>
    public required int Tokens { get; init; }

    /// <summary>Bytes of a set of activations.</summary>
    public required long Rotation { get; init; }

    /// <summary>The operator.</summary>
    public string Operator { get; init; } = string.Empty;

    /// <summary>Independent rows.</summary>
    public required int Rows { get; init; }

    /// <summary>The width of a row of the first input.</summary>
    public int First { get; init; }

    /// <summary>The width of a row of the second input; 0 for none.</summary>
    public int Second { get; init; }

    /// <summary>The width of a row of the output.</summary>
    public int Output { get; init; }

    /// <summary>Floating-point operations for one element of the output.</summary>
    public double OperationsPerOutput { get; init; }

    /// <summary>The operator.</summary>
    public RowwiseOperator Apply { get; init; } = (_, _, _, _, _) => { };

    private long BytesOfOne => 4L * Rows * (First + Second + Output);

    /// <summary>Makes the case.</summary>
    /// <returns>It.</returns>
    public BenchmarkCase ToCase() => new()
    {
        Shape = Shape,
        Operator = Operator,
        Size = string.Create(CultureInfo.InvariantCulture, $"T = {Tokens}"),
        Floor = string.Create(
            CultureInfo.InvariantCulture,
            $"4 B·{Rows}·({First}{(Second > 0 ? $" + {Second}" : string.Empty)} + {Output}) read and written; "
            + $"about {OperationsPerOutput:0.#} operations an output"),
        Bytes = BytesOfOne,
        Operations = OperationsPerOutput * Rows * Output,
        Memory = BytesOfOne * BenchmarkInputs.SetCount(BytesOfOne, Rotation),
        Prepare = Prepare,
    };

    private PreparedCase Prepare(BenchmarkInputs inputs)
    {
        float[] first = BenchmarkInputs.Values(Rows * First, 1), second = BenchmarkInputs.Values(Rows * Second, 2);
        (float[] First, float[] Second, float[] Output)[] sets =
            [.. Enumerable.Range(0, inputs.SetCount(BytesOfOne)).Select(set => (
                set == 0 ? first : first.AsSpan().ToArray(),
                set == 0 ? second : second.AsSpan().ToArray(),
                new float[Rows * Output]))];
        Rotation<(float[] First, float[] Second, float[] Output)> rotation = new(sets);
        return new PreparedCase(
            () =>
            {
                (float[] x, float[] other, float[] y) = rotation.Next();
                Apply(ExecutionEngine.Vector512, inputs.Workers, x, other, y);
            },
            () =>
            {
                float[] y = sets[0].Output;
                Apply(ExecutionEngine.Vector512, inputs.Workers, first, second, y);
                int[] sampled = SampledRows.Spread(Rows, SampledRowCount);
                float[] expected = new float[sampled.Length * Output];
                Apply(
                    ExecutionEngine.Scalar,
                    inputs.Workers,
                    SampledRows.Take(first, First, sampled),
                    SampledRows.Take(second, Second, sampled),
                    expected);
                return new(expected, SampledRows.Take(y, Output, sampled));
            });
    }
}
