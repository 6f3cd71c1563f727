using System;
using System.Globalization;
using System.Text;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Objective.Properties;

/// <summary>One random batch with its configuration; copies are changed, never the original.</summary>
internal sealed class PropertyCase
{
    public required int Rollouts { get; init; }

    public required int Length { get; init; }

    /// <summary>ℓ.</summary>
    public required double[] Current { get; init; }

    /// <summary>o.</summary>
    public required double[] Old { get; init; }

    /// <summary>q.</summary>
    public required double[] Inference { get; init; }

    public required double[] Advantages { get; init; }

    public required byte[] Mask { get; init; }

    public double Alpha { get; set; } = 0.5;

    public double Beta { get; set; } = 5;

    public double EpsilonLow { get; set; } = 0.2;

    public double EpsilonHigh { get; set; } = 0.2;

    /// <summary>Feeds the further choices of a property: which row, which shift.</summary>
    public ulong Choices { get; init; }

    public int Tokens => Rollouts * Length;

    public CaseRandom Random => new(Choices);

    public RolloutBatch Batch => new(Rollouts, Length, Current, Old, Inference, Advantages, Mask);

    public PolicyObjectiveOptions Options => PolicyObjectiveOptions.Default with
    {
        Correction = new IcePopCorrection(Alpha, Beta),
        EpsilonLow = EpsilonLow,
        EpsilonHigh = EpsilonHigh,
    };

    /// <summary>A case of one response; what is not given is on-policy, with matching engines.</summary>
    public static PropertyCase Row(
        double[] old, double[] inference, double[]? current = null, double advantage = 1, byte[]? mask = null) => new()
        {
            Rollouts = 1,
            Length = old.Length,
            Current = current ?? Array.ConvertAll(old, value => double.IsFinite(value) ? value : -1),
            Old = old,
            Inference = inference,
            Advantages = [advantage],
            Mask = mask ?? PackedRows.Ones(old.Length),
        };

    /// <summary>One token with Δ and log r, exact where they are.</summary>
    public static PropertyCase Token(double logRatio, double policyLogRatio, double advantage) =>
        Row([0], [-logRatio], [policyLogRatio], advantage);

    public PropertyCase Copy() => new()
    {
        Rollouts = Rollouts,
        Length = Length,
        Current = [.. Current],
        Old = [.. Old],
        Inference = [.. Inference],
        Advantages = [.. Advantages],
        Mask = [.. Mask],
        Alpha = Alpha,
        Beta = Beta,
        EpsilonLow = EpsilonLow,
        EpsilonHigh = EpsilonHigh,
        Choices = Choices,
    };

    public PropertyCase With(Action<PropertyCase> change)
    {
        PropertyCase copy = Copy();
        change(copy);
        return copy;
    }

    public PropertyCase WithBand(double alpha, double beta) => With(copy => (copy.Alpha, copy.Beta) = (alpha, beta));

    /// <summary>The current policy is that of the rollout: r = 1.</summary>
    public PropertyCase Online() => With(copy => copy.Old.CopyTo(copy.Current, 0));

    public PropertyCase WithoutClip() =>
        With(copy => copy.EpsilonLow = copy.EpsilonHigh = double.PositiveInfinity);

    /// <summary>Other tokens: response i of the result is rows[i], column t columns[t]; −1 gives padding.</summary>
    public PropertyCase Arrange(int[] rows, int[] columns)
    {
        T[] Pick<T>(T[] values)
        {
            T[] picked = new T[rows.Length * columns.Length];
            for (int i = 0; i < picked.Length; i++)
            {
                int column = columns[i % columns.Length];
                picked[i] = column < 0 ? default! : values[(rows[i / columns.Length] * Length) + column];
            }

            return picked;
        }

        return new PropertyCase
        {
            Rollouts = rows.Length,
            Length = columns.Length,
            Current = Pick(Current),
            Old = Pick(Old),
            Inference = Pick(Inference),
            Advantages = Array.ConvertAll(rows, row => Advantages[row]),
            Mask = Pick(Mask),
            Alpha = Alpha,
            Beta = Beta,
            EpsilonLow = EpsilonLow,
            EpsilonHigh = EpsilonHigh,
            Choices = Choices,
        };
    }

    public PropertyCase Rows(params int[] rows) => Arrange(rows, Upto(Length));

    public static int[] Upto(int count)
    {
        int[] numbers = new int[count];
        for (int i = 0; i < count; i++)
        {
            numbers[i] = i;
        }

        return numbers;
    }

    /// <summary>Whether a response has a masked token with a valid one after it.</summary>
    public bool HasHole
    {
        get
        {
            for (int i = 1; i < Tokens; i++)
            {
                if (i % Length != 0 && Mask[i] != 0 && Mask[i - 1] == 0)
                {
                    return true;
                }
            }

            return false;
        }
    }

    public bool Valid(int token) => Mask[token] != 0;

    public double LogRatio(int token) => Old[token] - Inference[token];

    /// <summary>Kept by the rule: decided in log space, closed.</summary>
    public bool Kept(int token) =>
        Valid(token) && double.IsFinite(LogRatio(token)) && LogRatio(token) >= Math.Log(Alpha)
        && LogRatio(token) <= Math.Log(Beta) && double.IsFinite(Math.Exp(LogRatio(token)));

    /// <summary>Whether Δ is so close to an end that another rule may decide otherwise.</summary>
    public bool NearEnd(int token) =>
        Math.Abs(LogRatio(token) - Math.Log(Alpha)) < 1e-9 || Math.Abs(LogRatio(token) - Math.Log(Beta)) < 1e-9;

    public double PolicyRatio(int token) => Math.Exp(Current[token] - Old[token]);

    public double Advantage(int token) => Advantages[token / Length];

    /// <summary>Response tokens of each row.</summary>
    public int[] Counts()
    {
        int[] counts = new int[Rollouts];
        for (int i = 0; i < Tokens; i++)
        {
            counts[i / Length] += Mask[i];
        }

        return counts;
    }

    /// <summary>c of each row.</summary>
    public double[] Coefficients(LossAggregationKind kind)
    {
        int[] counts = Counts();
        double[] coefficients = new double[Rollouts];
        LossAggregation.Coefficients(kind, counts, LossDenominators.Count(counts), coefficients);
        return coefficients;
    }

    /// <summary>An upper bound of Σ c·|contribution|: what rounding is measured against.</summary>
    public double Gauge(LossAggregationKind kind)
    {
        double[] coefficients = Coefficients(kind);
        double gauge = 0;
        for (int i = 0; i < Tokens; i++)
        {
            if (Kept(i))
            {
                double advantage = Advantage(i);
                double ratio = PolicyRatio(i);
                double used = advantage > 0 ? Math.Min(ratio, 1 + EpsilonHigh) : Math.Max(ratio, 1 - EpsilonLow);
                double size = Math.Exp(LogRatio(i)) * used * Math.Abs(advantage) * coefficients[i / Length];
                gauge += double.IsFinite(size) ? size : 0;
            }
        }

        return gauge;
    }

    /// <summary>One line.</summary>
    public override string ToString()
    {
        StringBuilder text = new();
        text.Append(CultureInfo.InvariantCulture, $"band [{Alpha}, {Beta}] clip {EpsilonLow}/{EpsilonHigh}");
        text.Append(CultureInfo.InvariantCulture, $" shape [{Rollouts}, {Length}]");
        Append(text, "advantages", Advantages);
        Append(text, "mask", Array.ConvertAll(Mask, flag => (double)flag));
        Append(text, "current", Current);
        Append(text, "old", Old);
        Append(text, "infer", Inference);
        return text.ToString();
    }

    private static void Append(StringBuilder text, string name, double[] values)
    {
        text.Append(' ').Append(name).Append(" [");
        for (int i = 0; i < Math.Min(values.Length, 24); i++)
        {
            text.Append(i > 0 ? ", " : string.Empty).Append(values[i].ToString("R", CultureInfo.InvariantCulture));
        }

        text.Append(values.Length > 24 ? ", …]" : "]");
    }
}
