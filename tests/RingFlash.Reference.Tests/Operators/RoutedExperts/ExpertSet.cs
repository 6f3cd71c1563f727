// Experts for the routed-expert tests. Red nowhere by itself.
using System;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Tests.Operators;

/// <summary>Experts with weights in memory, and a count of how often each was asked for.</summary>
internal sealed class ExpertSet
{
    private readonly ExpertWeights[] experts;
    private readonly int[] requests;

    public ExpertSet(int count, int hidden, int intermediate, int seed, bool float8 = false)
    {
        requests = new int[count];
        experts = new ExpertWeights[count];
        for (int e = 0; e < count; e++)
        {
            experts[e] = new ExpertWeights(
                Matrix(intermediate, hidden, seed + (3 * e)),
                Matrix(intermediate, hidden, seed + (3 * e) + 1),
                Matrix(hidden, intermediate, seed + (3 * e) + 2));
        }

        WeightMatrix Matrix(int outputs, int inputs, int matrixSeed) => float8
            ? MemorySource.Float8(outputs, inputs, matrixSeed)
            : new DenseMatrix(
                outputs,
                inputs,
                TestValues.Spread<BFloat16Precision>(outputs * inputs, matrixSeed, binades: 2),
                PanelFormat.BFloat16);
    }

    public int Requests(int expert) => requests[expert];

    public int Reads(int expert) =>
        new WeightMatrix[] { experts[expert].Gate, experts[expert].Up, experts[expert].Down }
        .Sum(matrix => ((DenseMatrix)matrix).Reads);

    public void Pack(WorkerPool workers) => Array.ForEach(Matrices(), matrix => matrix.Pack(workers));

    public void Unpack() => Array.ForEach(Matrices(), matrix => matrix.Unpack());

    private WeightMatrix[] Matrices() =>
        [.. experts.SelectMany(expert => new[] { expert.Gate, expert.Up, expert.Down })];

    public ExpertWeights Get(int expert)
    {
        requests[expert]++;
        return experts[expert];
    }
}
