using System;
using System.Collections.Generic;
using System.Linq;

namespace RingFlash.Reference.Objective.Theory;

/// <summary>What is measured at one step of the bandit.</summary>
/// <param name="Step">Updates done before.</param>
/// <param name="Divergence">δ = KL(q ‖ p), inference to training.</param>
/// <param name="LargestLogRatio">max |log k| over the actions.</param>
/// <param name="MeanLogRatio">E_q|log k|.</param>
/// <param name="MaskedMass">P_q(k outside the band), whether or not this operator masks.</param>
/// <param name="GradientNorm">‖g‖ of the operator's own expected gradient.</param>
/// <param name="TrainReward">E_p of the reward.</param>
/// <param name="AlignmentOverDivergence">⟨∇δ, b⟩/δ with b the bias of the <em>uncorrected</em> gradient: the c that
/// assumption
/// A2 of <see cref="CompoundingBound"/> would need; null at the start, where δ is zero.</param>
public sealed record BanditPoint(
    int Step,
    double Divergence,
    double LargestLogRatio,
    double MeanLogRatio,
    double MaskedMass,
    double GradientNorm,
    double TrainReward,
    double? AlignmentOverDivergence);

/// <summary>
/// S1, the stale-engine bandit: an inference engine that never moves, a training policy that does, and no sampling at
/// all.
/// </summary>
/// <remarks>
/// <para>Recipe: eight actions; q frozen at the softmax of (0.3, −0.2, 0.1, 0, −0.4, 0.25, −0.1, 0.05); θ starts at log
/// q;
/// p = softmax(θ); rewards −1 … 1 evenly spaced; A = (r − E_q r)/sd_q r; θ ← θ + ½·Σ_a q_a·w(k_a)·A_a·(e_a − p).</para>
/// <para>Claim (exact, every number is an enumeration): without correction δ = KL(q‖p) grows linearly, to 198.86 after
/// 2000
/// steps; with k, TIS (C = 2), IcePop (0.5 … 5) or the binary mask it grows much more slowly, roughly logarithmically,
/// to
/// 6.09, 3.79, 4.47 and 2.64. No bound is claimed.</para>
/// <para>Assumptions: the engines differ because one is stale, not because of rounding or routing; advantages never
/// change.</para>
/// <para><b>What it does not show.</b> It does not put IcePop below TIS: here TIS ends lower. Nor does the binary
/// mask's low δ
/// speak for it: its policy earns less reward than every other one here.</para>
/// <para>Rounding: four trajectories repeat to 1e-12; IcePop's jumps at its band's ends, which amplify a last bit to
/// about
/// 1e-9 after 2000 steps.</para>
/// <para>Source: ours (spec, section 2.7), vectors in <c>golden/icepop/toy_stale_engine_bandit.json</c>.</para>
/// </remarks>
public static class StaleEngineBandit
{
    /// <summary>μ.</summary>
    public const double StepSize = 0.5;

    private static readonly double[] InferLogits = [0.3, -0.2, 0.1, 0, -0.4, 0.25, -0.1, 0.05];

    /// <summary>Runs the bandit.</summary>
    /// <param name="kind">The operator that weights the gradient.</param>
    /// <param name="steps">The steps to report, ascending, at least 0.</param>
    /// <param name="weights">Band and cap; 0.5 … 5 and 2 when null.</param>
    /// <returns>One point per reported step.</returns>
    public static IReadOnlyList<BanditPoint> Run(
        TheoryOperator kind, IReadOnlyList<int> steps, EngineWeights? weights = null)
    {
        ArgumentNullException.ThrowIfNull(steps);
        weights ??= EngineWeights.Default;
        double[] logInfer = LogSoftmax(InferLogits);
        double[] infer = Array.ConvertAll(logInfer, Math.Exp);
        double[] rewards = [.. Enumerable.Range(0, infer.Length).Select(a => -1 + (2.0 * a / (infer.Length - 1)))];
        double[] advantages = Standardise(rewards, infer);
        double[] theta = [.. logInfer];
        List<BanditPoint> points = [];
        for (int step = 0; points.Count < steps.Count; step++)
        {
            double[] logTrain = LogSoftmax(theta);
            double[] train = Array.ConvertAll(logTrain, Math.Exp);
            double[] gradient = Gradient(
                train, a => infer[a] * weights.Weight(kind, Math.Exp(logTrain[a] - logInfer[a])) * advantages[a]);
            if (step == steps[points.Count])
            {
                points.Add(Measure(step, logInfer, infer, logTrain, train, gradient, advantages, rewards, weights));
            }
            else if (steps[points.Count] < step)
            {
                throw new ArgumentException("steps must ascend from 0", nameof(steps));
            }

            for (int a = 0; a < theta.Length; a++)
            {
                theta[a] += StepSize * gradient[a];
            }
        }

        return points;
    }

    private static BanditPoint Measure(
        int step,
        double[] logInfer,
        double[] infer,
        double[] logTrain,
        double[] train,
        double[] gradient,
        double[] advantages,
        double[] rewards,
        EngineWeights weights)
    {
        double[] uncorrected = Gradient(train, a => infer[a] * advantages[a]);
        double[] onPolicy = Gradient(train, a => train[a] * advantages[a]);
        double divergence = 0, largest = 0, mean = 0, masked = 0, squares = 0, reward = 0, alignment = 0;
        for (int a = 0; a < infer.Length; a++)
        {
            double logRatio = logTrain[a] - logInfer[a];
            divergence -= infer[a] * logRatio;
            largest = Math.Max(largest, Math.Abs(logRatio));
            mean += infer[a] * Math.Abs(logRatio);
            masked += weights.InBand(Math.Exp(logRatio)) ? 0 : infer[a];
            squares += gradient[a] * gradient[a];
            reward += train[a] * rewards[a];

            // ∇δ = p − q in the logits; b is what sampling from the wrong engine adds to the gradient.
            alignment += (train[a] - infer[a]) * (uncorrected[a] - onPolicy[a]);
        }

        return new(
            step,
            divergence,
            largest,
            mean,
            masked,
            Math.Sqrt(squares),
            reward,
            step == 0 ? null : alignment / divergence);
    }

    // Σ_a c_a·(e_a − p): the gradient in the logits of Σ_a c_a·log p_a, c held fixed.
    private static double[] Gradient(double[] train, Func<int, double> coefficient)
    {
        double[] coefficients = [.. Enumerable.Range(0, train.Length).Select(coefficient)];
        double sum = coefficients.Sum();
        return [.. coefficients.Select((c, a) => c - (sum * train[a]))];
    }

    private static double[] Standardise(double[] rewards, double[] infer)
    {
        double mean = rewards.Zip(infer, (reward, probability) => reward * probability).Sum();
        double variance = rewards.Zip(infer, (r, probability) => probability * (r - mean) * (r - mean)).Sum();
        return Array.ConvertAll(rewards, reward => (reward - mean) / Math.Sqrt(variance));
    }

    private static double[] LogSoftmax(double[] logits)
    {
        double maximum = logits.Max();
        double logSum = maximum + Math.Log(logits.Sum(logit => Math.Exp(logit - maximum)));
        return Array.ConvertAll(logits, logit => logit - logSum);
    }
}
