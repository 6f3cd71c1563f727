using System.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Objective;

/// <summary>What the objective computes per token, before any aggregation.</summary>
internal sealed class ObjectiveArrays<T>
    where T : struct, IBinaryFloatingPointIeee754<T>
{
    public ObjectiveArrays(int rollouts, int responseLength, bool withDivergence)
    {
        int tokens = rollouts * responseLength;
        LogRatios = new T[tokens];
        Weights = new T[tokens];
        Ratios = new T[tokens];
        Contributions = new T[tokens];
        Gradients = new T[tokens];
        Decisions = new TokenDecision[tokens];
        Clipped = new byte[tokens];
        RowSums = new T[rollouts];
        KeptCounts = new int[rollouts];
        int estimators = withDivergence ? 3 : 0;
        Divergences = new T[estimators][];
        DivergenceGradients = new T[estimators][];
        DivergenceRowSums = new T[estimators][];
        for (int kind = 0; kind < estimators; kind++)
        {
            Divergences[kind] = new T[tokens];
            DivergenceGradients[kind] = new T[tokens];
            DivergenceRowSums[kind] = new T[rollouts];
        }
    }

    /// <summary>Δ as it comes, padding included.</summary>
    public T[] LogRatios { get; }

    public T[] Weights { get; }

    /// <summary>r where kept, 1 elsewhere.</summary>
    public T[] Ratios { get; }

    public T[] Contributions { get; }

    /// <summary>d contribution sum of the row / d current, before the coefficient.</summary>
    public T[] Gradients { get; }

    public TokenDecision[] Decisions { get; }

    public byte[] Clipped { get; }

    public T[] RowSums { get; }

    public int[] KeptCounts { get; }

    public T[][] Divergences { get; }

    public T[][] DivergenceGradients { get; }

    public T[][] DivergenceRowSums { get; }
}
