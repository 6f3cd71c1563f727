using System;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;

namespace RingFlash.Reference.Benchmarks;

/// <summary>Synthetic weights into resident panels: what loading costs where there is no disk.</summary>
internal static class SyntheticCases
{
    private const int SampledColumns = 128;
    private const int PanelRows = 32;

    /// <summary>The fused projection of a layer.</summary>
    /// <param name="shape">The model.</param>
    /// <returns>The case.</returns>
    public static BenchmarkCase For(BenchmarkShape shape)
    {
        ModelConfiguration model = shape.Configuration;
        int outputs = model.QueryKeyValueWidth, inputs = model.HiddenSize;
        double count = (double)outputs * inputs;
        return new BenchmarkCase
        {
            Shape = shape.Name,
            Operator = "synthetic weights",
            Size = string.Create(CultureInfo.InvariantCulture, $"{outputs}×{inputs}"),
            Floor = string.Create(
                CultureInfo.InvariantCulture,
                $"2 B·{outputs}·{inputs} written; SplitMix64's integer operations are not counted"),
            Bytes = 2 * count,
            Operations = 2 * count,
            Memory = (long)(2 * count),
            Prepare = prepared => Prepare(prepared, outputs, inputs),
        };
    }

    private static PreparedCase Prepare(BenchmarkInputs prepared, int outputs, int inputs)
    {
        TensorInfo tensor = new("benchmark.weight", ElementType.BFloat16, [outputs, inputs]);
        SyntheticSource source = new("benchmark", 1, [tensor]);
        SourceMatrix matrix = new(source, tensor, roundToBFloat16: false);
        return new PreparedCase(
            () =>
            {
                matrix.Pack(prepared.Workers);
                matrix.Unpack();
            },
            () =>
            {
                int columns = Math.Min(SampledColumns, inputs), firstRow = (outputs - 1) / PanelRows * PanelRows;
                float[] panel = new float[columns * PanelRows];
                matrix.ReadPanel(firstRow, 0, columns, panel);
                ulong sequence = SyntheticSource.Fnv1a64(tensor.Name) ^ source.Seed;
                (float offset, float scale) = SyntheticSource.Distribution(tensor);
                return new(
                    [.. Enumerable.Range(0, panel.Length).Select(index =>
                    {
                        int row = firstRow + (index % PanelRows), column = index / PanelRows;
                        return row < outputs
                            ? SyntheticSource.Element(sequence, ((long)row * inputs) + column, offset, scale)
                            : 0f;
                    })],
                    panel);
            });
    }
}
