using System;
using System.Collections.Generic;
using System.Numerics;

namespace RingFlash.Reference.Objective.Profiles;

/// <summary>
/// A padded array with reverse-mode differentiation that forms every product as an automatic differentiation does, so
/// 0 · ∞ is NaN exactly where a framework's backward pass makes it so. Shapes: [rows, columns], [rows, 1], [1, 1]; the
/// smaller is repeated over the larger.
/// </summary>
/// <remarks>
/// Rules of the gradient where a function has a corner: minimum and maximum give half to each of two equals and the
/// whole to both when one is NaN; a clamp passes on its ends and stops at NaN; a choice gives 0 to what it did not
/// take. Sums accumulate in float64.
/// </remarks>
internal sealed class Traced<T>
    where T : struct, IBinaryFloatingPointIeee754<T>
{
    private readonly (Traced<T> Source, Func<Traced<T>, T[]> Backward)[] sources;
    private T[]? gradient;

    private Traced(
        int rows, int columns, T[] values, params (Traced<T> Source, Func<Traced<T>, T[]> Backward)[] sources)
    {
        Rows = rows;
        Columns = columns;
        Values = values;
        this.sources = Array.FindAll(sources, entry => entry.Source.Live);
        Live = this.sources.Length > 0;
    }

    /// <summary>The first axis.</summary>
    public int Rows { get; }

    /// <summary>The second axis.</summary>
    public int Columns { get; }

    /// <summary>[rows, columns], row-major.</summary>
    public T[] Values { get; }

    /// <summary>The only value of a [1, 1].</summary>
    public T Scalar => Values[0];

    /// <summary>Whether a gradient flows through it.</summary>
    private bool Live { get; init; }

    private T[] Gradient => gradient!;

    public static implicit operator Traced<T>(double value) => Constant(1, 1, [T.CreateSaturating(value)]);

    public static Traced<T> operator +(Traced<T> a, Traced<T> b) =>
        Binary(a, b, (x, y) => x + y, (g, _, _) => g, (g, _, _) => g);

    public static Traced<T> operator -(Traced<T> a, Traced<T> b) =>
        Binary(a, b, (x, y) => x - y, (g, _, _) => g, (g, _, _) => -g);

    public static Traced<T> operator *(Traced<T> a, Traced<T> b) =>
        Binary(a, b, (x, y) => x * y, (g, _, y) => g * y, (g, x, _) => g * x);

    public static Traced<T> operator /(Traced<T> a, Traced<T> b) =>
        Binary(a, b, (x, y) => x / y, (g, _, y) => g / y, (g, x, y) => -g * (x / y / y));

    public static Traced<T> operator -(Traced<T> a) => a.Unary(x => -x, (g, _, _) => -g);

    /// <summary>1 where the comparison holds, else 0; NaN never compares.</summary>
    public static Traced<T> operator <(Traced<T> a, Traced<T> b) => Compare(a, b, (x, y) => x < y);

    public static Traced<T> operator >(Traced<T> a, Traced<T> b) => Compare(a, b, (x, y) => x > y);

    public static Traced<T> operator <=(Traced<T> a, Traced<T> b) => Compare(a, b, (x, y) => x <= y);

    public static Traced<T> operator >=(Traced<T> a, Traced<T> b) => Compare(a, b, (x, y) => x >= y);

    /// <summary>Of flags: both.</summary>
    public static Traced<T> operator &(Traced<T> a, Traced<T> b) => Compare(a, b, (x, y) => x != T.Zero && y != T.Zero);

    /// <summary>Of flags: either.</summary>
    public static Traced<T> operator |(Traced<T> a, Traced<T> b) => Compare(a, b, (x, y) => x != T.Zero || y != T.Zero);

    /// <summary>Of flags: not.</summary>
    public static Traced<T> operator !(Traced<T> a) => a.Map(x => x == T.Zero ? T.One : T.Zero);

    public static Traced<T> Constant(int rows, int columns, T[] values) => new(rows, columns, values);

    /// <summary>The differentiated array.</summary>
    public static Traced<T> Variable(int rows, int columns, T[] values) => new(rows, columns, values) { Live = true };

    public static Traced<T> Minimum(Traced<T> a, Traced<T> b) => Binary(
        a,
        b,
        (x, y) => T.IsNaN(x) || T.IsNaN(y) ? T.NaN : T.Min(x, y),
        (g, x, y) => x > y ? T.Zero : Half(g, x, y),
        (g, x, y) => x < y ? T.Zero : Half(g, x, y));

    public static Traced<T> Maximum(Traced<T> a, Traced<T> b) => Binary(
        a,
        b,
        (x, y) => T.IsNaN(x) || T.IsNaN(y) ? T.NaN : T.Max(x, y),
        (g, x, y) => x < y ? T.Zero : Half(g, x, y),
        (g, x, y) => x > y ? T.Zero : Half(g, x, y));

    /// <summary>a where the flag is set, else b.</summary>
    public static Traced<T> Where(Traced<T> flag, Traced<T> a, Traced<T> b)
    {
        Traced<T> shape = Binary(Binary(flag, a, (x, _) => x), b, (x, _) => x);
        Traced<T> flags = shape, left = Spread(a, shape), right = Spread(b, shape);
        T[] values = new T[flags.Values.Length];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = flags.Values[i] != T.Zero ? left.Values[i] : right.Values[i];
        }

        return new Traced<T>(
            shape.Rows,
            shape.Columns,
            values,
            (left, result => Select(result.Gradient, flags.Values, true)),
            (right, result => Select(result.Gradient, flags.Values, false)));
    }

    public Traced<T> Exp() => Unary(x => T.CreateSaturating(Math.Exp(double.CreateSaturating(x))), (g, _, y) => g * y);

    public Traced<T> Log() => Unary(x => T.CreateSaturating(Math.Log(double.CreateSaturating(x))), (g, x, _) => g / x);

    public Traced<T> Abs() => Unary(T.Abs, (g, x, _) => g * (T.IsNaN(x) ? T.NaN : T.CreateChecked(T.Sign(x))));

    public Traced<T> Square() => Unary(x => x * x, (g, x, _) => g * (x + x));

    /// <summary>Limited on both sides; NaN stays.</summary>
    public Traced<T> Clamp(double lowest, double highest)
    {
        T low = T.CreateSaturating(lowest), high = T.CreateSaturating(highest);
        return Unary(
            x => x < low ? low : x > high ? high : x,
            (g, x, _) => x >= low && x <= high ? g : T.Zero);
    }

    /// <summary>The values rounded to float32; a constant.</summary>
    public Traced<T> Single() => Map(x => T.CreateSaturating(float.CreateSaturating(x)));

    /// <summary>e^x rounded to float32 of float32 values; a constant.</summary>
    public Traced<T> SingleExp() => Map(x => T.CreateSaturating((float)Math.Exp(double.CreateSaturating(x))));

    /// <summary>The same values without a gradient.</summary>
    public Traced<T> Detach() => Constant(Rows, Columns, Values);

    /// <summary>A constant made element by element.</summary>
    public Traced<T> Map(Func<T, T> map) => Constant(Rows, Columns, Array.ConvertAll(Values, value => map(value)));

    /// <summary>1 where finite, else 0.</summary>
    public Traced<T> IsFinite() => Map(x => T.IsFinite(x) ? T.One : T.Zero);

    /// <summary>Σ of everything, [1, 1].</summary>
    public Traced<T> Sum()
    {
        double sum = 0;
        foreach (T value in Values)
        {
            sum += double.CreateSaturating(value);
        }

        return new Traced<T>(1, 1, [T.CreateSaturating(sum)], (this, result => Repeat(result.Gradient[0])));
    }

    /// <summary>Σ over each row, [rows, 1].</summary>
    public Traced<T> RowSum()
    {
        T[] sums = new T[Rows];
        for (int row = 0; row < Rows; row++)
        {
            double sum = 0;
            for (int column = 0; column < Columns; column++)
            {
                sum += double.CreateSaturating(Values[(row * Columns) + column]);
            }

            sums[row] = T.CreateSaturating(sum);
        }

        return new Traced<T>(Rows, 1, sums, (this, result =>
        {
            T[] spread = new T[Values.Length];
            for (int i = 0; i < spread.Length; i++)
            {
                spread[i] = result.Gradient[i / Columns];
            }

            return spread;
        }));
    }

    /// <summary>Σ/count of everything, [1, 1].</summary>
    public Traced<T> Mean() => Sum() / Values.Length;

    /// <summary>The gradient of a [1, 1] with respect to a variable: zeros where no path leads.</summary>
    public T[] GradientOf(Traced<T> variable)
    {
        // Depth first gives an order in which everything stands after what it was made from.
        List<Traced<T>> order = [];
        HashSet<Traced<T>> seen = [];
        Visit(this, order, seen);
        foreach (Traced<T> node in order)
        {
            node.gradient = new T[node.Values.Length];
        }

        gradient = [T.One];
        for (int i = order.Count - 1; i >= 0; i--)
        {
            foreach ((Traced<T> source, Func<Traced<T>, T[]> backward) in order[i].sources)
            {
                T[] share = backward(order[i]);
                for (int j = 0; j < share.Length; j++)
                {
                    source.gradient![j] += share[j];
                }
            }
        }

        return seen.Contains(variable) ? variable.gradient! : new T[variable.Values.Length];
    }

    private static void Visit(Traced<T> node, List<Traced<T>> order, HashSet<Traced<T>> seen)
    {
        if (seen.Add(node))
        {
            foreach ((Traced<T> source, _) in node.sources)
            {
                Visit(source, order, seen);
            }

            order.Add(node);
        }
    }

    private static T Half(T g, T x, T y) => x == y ? g / T.CreateChecked(2) : g;

    private static T[] Select(T[] gradient, T[] flags, bool taken)
    {
        T[] selected = new T[gradient.Length];
        for (int i = 0; i < selected.Length; i++)
        {
            selected[i] = (flags[i] != T.Zero) == taken ? gradient[i] : T.Zero;
        }

        return selected;
    }

    private static Traced<T> Compare(Traced<T> a, Traced<T> b, Func<T, T, bool> holds) =>
        Binary(a.Detach(), b.Detach(), (x, y) => holds(x, y) ? T.One : T.Zero);

    private static Traced<T> Spread(Traced<T> a, Traced<T> shape) =>
        a.Rows == shape.Rows && a.Columns == shape.Columns
            ? a
            : Binary(a, shape.Detach(), (x, _) => x, (g, _, _) => g);

    private static Traced<T> Binary(
        Traced<T> a,
        Traced<T> b,
        Func<T, T, T> value,
        Func<T, T, T, T>? left = null,
        Func<T, T, T, T>? right = null)
    {
        int rows = Math.Max(a.Rows, b.Rows), columns = Math.Max(a.Columns, b.Columns);
        rows = a.Rows == 0 || b.Rows == 0 ? 0 : rows;
        columns = a.Columns == 0 || b.Columns == 0 ? 0 : columns;
        T[] values = new T[rows * columns];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = value(a.Values[a.At(i, columns)], b.Values[b.At(i, columns)]);
        }

        T[] Share(Traced<T> target, Func<T, T, T, T>? slope, Traced<T> result)
        {
            T[] share = new T[target.Values.Length];
            for (int i = 0; i < values.Length; i++)
            {
                share[target.At(i, columns)] +=
                    slope!(result.Gradient[i], a.Values[a.At(i, columns)], b.Values[b.At(i, columns)]);
            }

            return share;
        }

        List<(Traced<T>, Func<Traced<T>, T[]>)> sources = [];
        if (left is not null)
        {
            sources.Add((a, result => Share(a, left, result)));
        }

        if (right is not null)
        {
            sources.Add((b, result => Share(b, right, result)));
        }

        return new Traced<T>(rows, columns, values, [.. sources]);
    }

    private int At(int index, int columns)
    {
        int row = Rows == 1 ? 0 : index / columns, column = Columns == 1 ? 0 : index % columns;
        return (row * Columns) + column;
    }

    private T[] Repeat(T value)
    {
        T[] repeated = new T[Values.Length];
        Array.Fill(repeated, value);
        return repeated;
    }

    private Traced<T> Unary(Func<T, T> value, Func<T, T, T, T> slope)
    {
        T[] values = Array.ConvertAll(Values, x => value(x));
        return new Traced<T>(Rows, Columns, values, (this, result =>
        {
            T[] share = new T[values.Length];
            for (int i = 0; i < share.Length; i++)
            {
                share[i] = slope(result.Gradient[i], Values[i], values[i]);
            }

            return share;
        }));
    }
}
