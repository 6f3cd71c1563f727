using System;

namespace RingFlash.Reference.Objective.Theory;

/// <summary>
/// What is exactly true about the engine ratio k = p/q over a finite vocabulary, by enumeration: p the training
/// engine's
/// probabilities, q the inference engine's, from which tokens are sampled.
/// </summary>
/// <remarks>
/// <para>Claims, for every p and q (q &gt; 0), every f:</para>
/// <list type="bullet">
/// <item>E_q[k] = 1 and E_q|k − 1| = 2·TV(p, q);</item>
/// <item>E_q[M(k)·f] = E_p[1[α ≤ k ≤ β]·f]: what IcePop computes on average is the on-policy expectation with the
/// tokens
/// outside the band left out. With f = A·∇log p, its bias is −E_p[1[k outside]·A·∇log p]; plain importance sampling has
/// none; that of TIS is E_q[(min(k, C) − k)·A·∇log p];</item>
/// <item>P_q(k ≥ β) ≤ 1/β and P_p(k &lt; α) ≤ α (Markov): with 0.5 … 5 at most a fifth of what was sampled is cut
/// above, and
/// at most half of what the training engine would sample below;</item>
/// <item>E_q[min(k, C)] ≤ 1: truncation only takes away;</item>
/// <item>a token that KPop keeps at φ has |p − q| ≤ √(φ/2) (Pinsker).</item>
/// </list>
/// <para>Assumptions: probabilities of one position; one token sampled from q; sums are float64, so each equality holds
/// to
/// a few roundings per vocabulary entry.</para>
/// <para><b>What it does not show.</b> Expectations of one token say nothing about variance, about a response as a
/// whole, or
/// about what training does with the bias.</para>
/// <para>Source: ours, checked on random pairs (spec, section 2.2; property P39).</para>
/// </remarks>
public sealed class SmallFacts
{
    private const double SumTolerance = 1e-9;

    private readonly double[] train;
    private readonly double[] infer;

    /// <summary>Takes two distributions over the same vocabulary.</summary>
    /// <param name="train">[vocabulary], float64, p: at least 0, summing to 1.</param>
    /// <param name="infer">[vocabulary], float64, q: above 0, summing to 1.</param>
    /// <param name="weights">Band and cap.</param>
    public SmallFacts(ReadOnlySpan<double> train, ReadOnlySpan<double> infer, EngineWeights weights)
    {
        ArgumentNullException.ThrowIfNull(weights);
        if (train.Length != infer.Length || train.Length == 0)
        {
            throw new ArgumentException($"{train.Length} and {infer.Length} probabilities", nameof(infer));
        }

        RequireDistribution(train, strictlyPositive: false, nameof(train));
        RequireDistribution(infer, strictlyPositive: true, nameof(infer));
        this.train = train.ToArray();
        this.infer = infer.ToArray();
        Weights = weights;
    }

    /// <summary>Band and cap.</summary>
    public EngineWeights Weights { get; }

    /// <summary>E_q[k], which is 1.</summary>
    public double ExpectedRatio => Sum(token => infer[token] * Ratio(token));

    /// <summary>E_q|k − 1|, which is twice <see cref="TotalVariation"/>.</summary>
    public double ExpectedRatioDistance => Sum(token => infer[token] * Math.Abs(Ratio(token) - 1));

    /// <summary>½·Σ|p − q|.</summary>
    public double TotalVariation => Sum(token => Math.Abs(train[token] - infer[token])) / 2;

    /// <summary>P_q(k ≥ β), at most 1/β.</summary>
    public double MassAbove => Sum(token => Ratio(token) >= Weights.Beta ? infer[token] : 0);

    /// <summary>P_p(k &lt; α), at most α.</summary>
    public double MassBelow => Sum(token => Ratio(token) < Weights.Alpha ? train[token] : 0);

    /// <summary>E_q[min(k, C)], at most 1.</summary>
    public double TruncatedMass => Sum(token => infer[token] * Math.Min(Ratio(token), Weights.Cap));

    /// <summary>E_q[w(k)·f]: what an operator computes on average from sampled tokens.</summary>
    /// <param name="kind">The operator.</param>
    /// <param name="values">[vocabulary], float64, f.</param>
    /// <returns>The expectation.</returns>
    public double SampledExpectation(TheoryOperator kind, ReadOnlySpan<double> values)
    {
        RequireLength(values);
        double sum = 0;
        for (int token = 0; token < values.Length; token++)
        {
            sum += infer[token] * Weights.Weight(kind, Ratio(token)) * values[token];
        }

        return sum;
    }

    /// <summary>E_p[f]: what training on the training engine's own samples would compute.</summary>
    /// <param name="values">[vocabulary], float64, f.</param>
    /// <returns>The expectation.</returns>
    public double OnPolicyExpectation(ReadOnlySpan<double> values) =>
        TrainExpectation(values, inside: true, outside: true);

    /// <summary>E_p[1[α ≤ k ≤ β]·f], to which IcePop's sampled expectation is equal.</summary>
    /// <param name="values">[vocabulary], float64, f.</param>
    /// <returns>The expectation.</returns>
    public double InBandExpectation(ReadOnlySpan<double> values) =>
        TrainExpectation(values, inside: true, outside: false);

    /// <summary>−E_p[1[k outside the band]·f]: IcePop's bias.</summary>
    /// <param name="values">[vocabulary], float64, f.</param>
    /// <returns>What IcePop's expectation has more than the on-policy one.</returns>
    public double IcePopBias(ReadOnlySpan<double> values) => -TrainExpectation(values, inside: false, outside: true);

    /// <summary>E_q[(min(k, C) − k)·f]: the bias of TIS.</summary>
    /// <param name="values">[vocabulary], float64, f.</param>
    /// <returns>What the expectation of TIS has more than the on-policy one.</returns>
    public double TruncationBias(ReadOnlySpan<double> values)
    {
        RequireLength(values);
        double sum = 0;
        for (int token = 0; token < values.Length; token++)
        {
            double ratio = Ratio(token);
            sum += infer[token] * (Math.Min(ratio, Weights.Cap) - ratio) * values[token];
        }

        return sum;
    }

    /// <summary>D(a‖b) = a·ln(a/b) + (1 − a)·ln((1 − a)/(1 − b)): the divergence of "this token or not".</summary>
    /// <param name="first">a, in [0, 1].</param>
    /// <param name="second">b, in [0, 1].</param>
    /// <returns>At least 0; ∞ where b excludes what a allows.</returns>
    public static double BinaryDivergence(double first, double second)
    {
        double divergence = Term(first, second) + Term(1 - first, 1 - second);
        return Math.Max(divergence, 0); // rounding can leave −1e-17 for neighbours

        static double Term(double a, double b) => a == 0 ? 0 : a * Math.Log(a / b);
    }

    /// <summary>Whether KPop keeps a token: both binary divergences at most φ.</summary>
    /// <param name="train">p of the sampled token.</param>
    /// <param name="infer">q of the sampled token.</param>
    /// <param name="width">φ.</param>
    /// <returns>Whether it is kept.</returns>
    public static bool KPopKeeps(double train, double infer, double width) =>
        BinaryDivergence(train, infer) <= width && BinaryDivergence(infer, train) <= width;

    /// <summary>√(φ/2): how far apart the two probabilities of a token that KPop keeps can be.</summary>
    /// <param name="width">φ.</param>
    /// <returns>The largest |p − q|.</returns>
    public static double KPopReach(double width) => Math.Sqrt(width / 2);

    private static void RequireDistribution(ReadOnlySpan<double> values, bool strictlyPositive, string name)
    {
        double sum = 0;
        foreach (double value in values)
        {
            if (!(strictlyPositive ? value > 0 : value >= 0))
            {
                throw new ArgumentException($"probability {value}", name);
            }

            sum += value;
        }

        if (!(Math.Abs(sum - 1) <= SumTolerance))
        {
            throw new ArgumentException($"probabilities add up to {sum}", name);
        }
    }

    private double Ratio(int token) => train[token] / infer[token];

    private double TrainExpectation(ReadOnlySpan<double> values, bool inside, bool outside)
    {
        RequireLength(values);
        double sum = 0;
        for (int token = 0; token < values.Length; token++)
        {
            sum += (Weights.InBand(Ratio(token)) ? inside : outside) ? train[token] * values[token] : 0;
        }

        return sum;
    }

    private double Sum(Func<int, double> term)
    {
        double sum = 0;
        for (int token = 0; token < train.Length; token++)
        {
            sum += term(token);
        }

        return sum;
    }

    private void RequireLength(ReadOnlySpan<double> values)
    {
        if (values.Length != train.Length)
        {
            throw new ArgumentException($"{values.Length} values for {train.Length} tokens", nameof(values));
        }
    }
}
