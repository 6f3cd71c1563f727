using System;
using System.Collections.Generic;
using System.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Objective.Profiles;

/// <summary>A case as a framework's function gets it: arrays of one number type and the case's parameters.</summary>
internal sealed class FrameworkInput<T>
    where T : struct, IBinaryFloatingPointIeee754<T>
{
    private readonly IReadOnlyList<int>? lengths;

    /// <summary>Brings a case into the framework's shape.</summary>
    /// <param name="batch">The arrays.</param>
    /// <param name="options">The case's band and clip widths.</param>
    /// <param name="lengths">Positions of each row before its padding; null for up to the last response token.</param>
    public FrameworkInput(RolloutArrays<T> batch, PolicyObjectiveOptions options, IReadOnlyList<int>? lengths)
    {
        this.lengths = lengths;
        Rows = batch.Rollouts;
        Columns = batch.ResponseLength;
        Current = Traced<T>.Variable(Rows, Columns, batch.Current);
        Old = Traced<T>.Constant(Rows, Columns, batch.Old);
        Inference = Traced<T>.Constant(Rows, Columns, batch.Inference);
        Mask = Traced<T>.Constant(
            Rows, Columns, Array.ConvertAll(batch.ResponseMask, flag => flag == 0 ? T.Zero : T.One));
        Advantages = Traced<T>.Constant(Rows, 1, batch.Advantages);
        Reference = batch.Reference is null ? null : Traced<T>.Constant(Rows, Columns, batch.Reference);
        IcePopCorrection band = options.Correction as IcePopCorrection
            ?? throw new ArgumentException($"A profile needs the case's band; found {options.Correction.Name}.");
        Alpha = band.Alpha;
        Beta = band.Beta;
        EpsilonLow = options.EpsilonLow;
        EpsilonHigh = options.EpsilonHigh;
    }

    public int Rows { get; }

    public int Columns { get; }

    /// <summary>ℓ [rows, columns], the differentiated array.</summary>
    public Traced<T> Current { get; }

    /// <summary>o [rows, columns].</summary>
    public Traced<T> Old { get; }

    /// <summary>q [rows, columns].</summary>
    public Traced<T> Inference { get; }

    /// <summary>m [rows, columns].</summary>
    public Traced<T> Mask { get; }

    /// <summary>Â [rows, 1].</summary>
    public Traced<T> Advantages { get; }

    /// <summary>Log-probabilities of the frozen policy, or null.</summary>
    public Traced<T>? Reference { get; }

    public double Alpha { get; }

    public double Beta { get; }

    public double EpsilonLow { get; }

    public double EpsilonHigh { get; }

    /// <summary>n of each row, [rows, 1].</summary>
    public Traced<T> Counts => Mask.RowSum();

    /// <summary>max(n, 1).</summary>
    public Traced<T> CountsOrOne => Counts.Clamp(1, double.PositiveInfinity);

    /// <summary>max(N, 1).</summary>
    public Traced<T> TokensOrOne => Mask.Sum().Clamp(1, double.PositiveInfinity);

    /// <summary>
    /// What a framework without padding sees: positions behind the end of a row are 0 in every array, as they are cut
    /// off there.
    /// </summary>
    public Traced<T> Cut(Traced<T> values) => Traced<T>.Where(Inside, values, 0);

    /// <summary>1 up to the end of a row.</summary>
    public Traced<T> Inside
    {
        get
        {
            T[] inside = new T[Rows * Columns];
            for (int row = 0; row < Rows; row++)
            {
                Span<T> flags = inside.AsSpan(row * Columns, Columns);
                ReadOnlySpan<T> mask = Mask.Values.AsSpan(row * Columns, Columns);
                flags[..(lengths?[row] ?? mask.LastIndexOf(T.One) + 1)].Fill(T.One);
            }

            return Traced<T>.Constant(Rows, Columns, inside);
        }
    }

    /// <summary>One number per row, or per token, on every token.</summary>
    public Traced<T> Spread(Traced<T> values) => Traced<T>.Where(Traced<T>.Constant(1, 1, [T.One]) | Mask, values, 0);

    /// <summary>PPO's pessimistic surrogate as a loss: max(−rÂ, −clip(r)Â), no guard against overflow.</summary>
    public Traced<T> Surrogate(Traced<T> ratio) => Traced<T>.Maximum(
        -ratio * Advantages, -ratio.Clamp(1 - EpsilonLow, 1 + EpsilonHigh) * Advantages);
}
