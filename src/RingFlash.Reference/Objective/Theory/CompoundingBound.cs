using System;

namespace RingFlash.Reference.Objective.Theory;

/// <summary>
/// The compounding theorem: <em>if</em> the bias of the gradient pushes the engines apart in proportion to how far they
/// are apart already, then their distance grows geometrically once it is above a threshold.
/// </summary>
/// <remarks>
/// <para>Setting: δ(θ) = KL(π_infer(θ) ‖ π_train(θ)); θ moves by μ·g, g the expectation over inference samples of
/// A·∇log π_train; g = g* + b, g* the same under training samples, b the bias.</para>
/// <para>Assumptions: (A1) ∇δ is L-Lipschitz; (A2) ⟨∇δ, b⟩ ≥ c·δ with c &gt; 0; (A3) |⟨∇δ, g*⟩| ≤ M; (A4) ‖g‖ ≤ G;
/// 0 &lt; μ ≤ μ̄.</para>
/// <para>Claim: with η = c and κ = M + (L/2)·μ̄·G², one step gives δ' ≥ (1 + ημ)·δ − κμ; and if δ ≥ δ_c = 2κ/η,
/// then δ' ≥ (1 + ημ/2)·δ.</para>
/// <para>Why: smoothness bounds δ' from below by δ + μ⟨∇δ, g⟩ − (L/2)μ²‖g‖²; put in A2, A3, A4 and μ ≤ μ̄. Above the
/// threshold κ ≤ ηδ/2, so half of the growth is left.</para>
/// <para>Consequences (ours): the bound's fixed point is κ/η, half the threshold; in closed form
/// δ_t ≥ (1 + ημ)^t·(δ_0 − κ/η) + κ/η; from the threshold on, doubling takes at most ln 2 / ln(1 + ημ/2) steps.</para>
/// <para><b>What it does not show.</b> It is conditional. A2 is assumed, not proved, and in our exact toy
/// (<see cref="StaleEngineBandit"/>) it fails: the alignment is positive, but divided by δ it decays like 1/δ, so there
/// is
/// no c that holds throughout, and the growth is linear, not geometric. "Training must diverge" does not follow.</para>
/// <para>Source: Ring-1T report, arXiv 2510.18855v2, appendix B. The blog states other assumptions (another smoothness,
/// two constants for the bias).</para>
/// </remarks>
public sealed record CompoundingBound
{
    /// <summary>Names the constants of the assumptions.</summary>
    /// <param name="alignment">c of A2, above 0.</param>
    /// <param name="onPolicyBound">M of A3, at least 0.</param>
    /// <param name="smoothness">L of A1, at least 0.</param>
    /// <param name="gradientBound">G of A4, at least 0.</param>
    /// <param name="largestStep">μ̄, above 0.</param>
    public CompoundingBound(
        double alignment, double onPolicyBound, double smoothness, double gradientBound, double largestStep)
    {
        RequirePositive(alignment, nameof(alignment));
        RequireNotNegative(onPolicyBound, nameof(onPolicyBound));
        RequireNotNegative(smoothness, nameof(smoothness));
        RequireNotNegative(gradientBound, nameof(gradientBound));
        RequirePositive(largestStep, nameof(largestStep));
        Growth = alignment;
        Loss = onPolicyBound + (smoothness / 2 * largestStep * gradientBound * gradientBound);
        LargestStep = largestStep;
    }

    /// <summary>η: what a unit of distance adds per unit of step.</summary>
    public double Growth { get; }

    /// <summary>κ: the most that the well-meant part of the gradient and curvature take away per unit of
    /// step.</summary>
    public double Loss { get; }

    /// <summary>μ̄: the largest step that <see cref="Loss"/> covers.</summary>
    public double LargestStep { get; }

    /// <summary>δ_c = 2κ/η, from which growth is geometric.</summary>
    public double Threshold => 2 * Loss / Growth;

    /// <summary>κ/η: where the bound stands still. Below it the bound falls, and says nothing.</summary>
    public double FixedPoint => Loss / Growth;

    /// <summary>One step of the bound.</summary>
    /// <param name="distance">δ before, at least 0.</param>
    /// <param name="step">μ, in (0, μ̄].</param>
    /// <returns>The least that δ can be afterwards; negative means that nothing is said.</returns>
    public double Next(double distance, double step)
    {
        RequireStep(step);
        return ((1 + (Growth * step)) * distance) - (Loss * step);
    }

    /// <summary>The bound after 0, 1, … steps.</summary>
    /// <param name="distance">δ_0, at least 0.</param>
    /// <param name="step">μ, in (0, μ̄].</param>
    /// <param name="steps">How many.</param>
    /// <returns>[steps + 1]; the first is δ_0.</returns>
    public double[] Sequence(double distance, double step, int steps)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(steps);
        double[] bounds = new double[steps + 1];
        bounds[0] = distance;
        for (int t = 1; t <= steps; t++)
        {
            bounds[t] = Next(bounds[t - 1], step);
        }

        return bounds;
    }

    /// <summary>The same without the recursion: (1 + ημ)^t·(δ_0 − κ/η) + κ/η.</summary>
    /// <param name="distance">δ_0.</param>
    /// <param name="step">μ, in (0, μ̄].</param>
    /// <param name="steps">t, at least 0.</param>
    /// <returns>The bound after t steps.</returns>
    public double ClosedForm(double distance, double step, int steps)
    {
        RequireStep(step);
        ArgumentOutOfRangeException.ThrowIfNegative(steps);
        return (Math.Pow(1 + (Growth * step), steps) * (distance - FixedPoint)) + FixedPoint;
    }

    /// <summary>1 + ημ/2: the least factor per step from the threshold on.</summary>
    /// <param name="step">μ, in (0, μ̄].</param>
    /// <returns>The factor.</returns>
    public double CompoundingFactor(double step)
    {
        RequireStep(step);
        return 1 + (Growth * step / 2);
    }

    /// <summary>ln 2 / ln(1 + ημ/2): the most steps that doubling can take from the threshold on.</summary>
    /// <param name="step">μ, in (0, μ̄].</param>
    /// <returns>Steps, not rounded.</returns>
    public double DoublingTime(double step) => Math.Log(2) / Math.Log(CompoundingFactor(step));

    private static void RequirePositive(double value, string name)
    {
        if (!(value > 0) || !double.IsFinite(value))
        {
            throw new ArgumentOutOfRangeException(name, value, "must be finite and above 0");
        }
    }

    private static void RequireNotNegative(double value, string name)
    {
        if (!(value >= 0) || !double.IsFinite(value))
        {
            throw new ArgumentOutOfRangeException(name, value, "must be finite and at least 0");
        }
    }

    // A larger step would leave a curvature term that κ, computed from μ̄, does not cover.
    private void RequireStep(double step)
    {
        if (!(step > 0) || step > LargestStep)
        {
            throw new ArgumentOutOfRangeException(nameof(step), step, $"must lie in (0, {LargestStep}]");
        }
    }
}
