using System;
using System.Collections.Generic;
using RingFlash.Reference.Verification;

namespace RingFlash.Reference.Comparison;

/// <summary>What a comparison came to.</summary>
public enum ComparisonOutcome
{
    /// <summary>Everything that the dump declares was compared and lies within its budget.</summary>
    Agrees,

    /// <summary>Something is over its budget.</summary>
    Differs,

    /// <summary>What was compared agrees, but taps are missing that the dump ought to hold.</summary>
    Incomplete,

    /// <summary>Nothing was compared that would tell a right program from a wrong one.</summary>
    NotChecked,
}

/// <summary>Everything that a comparison found. Every list is in the order of computation.</summary>
public sealed record ComparisonReport
{
    /// <summary>The reference as given.</summary>
    public required string Reference { get; init; }

    /// <summary>The candidate as given.</summary>
    public required string Candidate { get; init; }

    /// <summary>The precision that the candidate is held to: <c>float32</c>, <c>bfloat16</c> or <c>fp8</c>.</summary>
    public required string Precision { get; init; }

    /// <summary>Why that one.</summary>
    public required string PrecisionReason { get; init; }

    /// <summary>What it came to.</summary>
    public required ComparisonOutcome Outcome { get; init; }

    /// <summary>The verdict in one sentence.</summary>
    public required string Headline { get; init; }

    /// <summary>The first wrong value in the flow of data; null when there is none.</summary>
    public FirstFault? FirstFault { get; init; }

    /// <summary>Taps computed from the candidate's own nearest values: here a wrong operator stands alone.</summary>
    public IReadOnlyList<TapFinding> Isolated { get; init; } = [];

    /// <summary>Taps against the reference's own run: the drift of the whole, never a verdict.</summary>
    public IReadOnlyList<DriftPoint> Drift { get; init; } = [];

    /// <summary>The legal ways to compute that the noise bands were computed with.</summary>
    public IReadOnlyList<string> Variants { get; init; } = [];

    /// <summary>The routers, on the candidate's own inputs.</summary>
    public IReadOnlyList<RouterFinding> Routers { get; init; } = [];

    /// <summary>The logits; null when the candidate has none.</summary>
    public LogitsFinding? Logits { get; init; }

    /// <summary>What was seen before any number was compared, one line each: ids, configuration, weights.</summary>
    public IReadOnlyList<string> Preflight { get; init; } = [];

    /// <summary>Taps that other layers of the dump have and this one should have too.</summary>
    public IReadOnlyList<string> Missing { get; init; } = [];

    /// <summary>Kinds of taps that the dump has in no layer, e.g. <c>attention.dense.output</c>.</summary>
    public IReadOnlyList<string> NotDumped { get; init; } = [];

    /// <summary>Names of the dump that no map knows.</summary>
    public IReadOnlyList<string> Unmapped { get; init; } = [];

    /// <summary>Taps that several tensors of the dump claim.</summary>
    public IReadOnlyList<string> Doubles { get; init; } = [];

    /// <summary>Taps of the dump that have other axes or lack a part, with the reason; not compared.</summary>
    public IReadOnlyList<string> Misfits { get; init; } = [];

    /// <summary>Taps of the dump that were not compared, with the reason.</summary>
    public IReadOnlyList<string> NotCompared { get; init; } = [];

    /// <summary>
    /// Results that no compared tap depends on, so that nothing is known of the operators that make them.
    /// </summary>
    public IReadOnlyList<string> Unseen { get; init; } = [];

    /// <summary>What the reader should know beside.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>The time of the whole.</summary>
    public TimeSpan Elapsed { get; init; }

    /// <summary>0 when the candidate agrees, else 1.</summary>
    public int ExitCode => Outcome == ComparisonOutcome.Agrees ? 0 : 1;
}

/// <summary>The first wrong value in the flow of data.</summary>
/// <param name="Id">Stable: <c>layer/operator/tap</c>, <c>-</c> for no layer.</param>
/// <param name="Tap">The tap that shows it.</param>
/// <param name="Layer">The layer; null outside the layers.</param>
/// <param name="Blocks">The blocks that it lies in; one where the taps tell.</param>
/// <param name="Operators">
/// The operators that it lies among, without those that a tap with right values clears; one where the taps tell.
/// </param>
/// <param name="Inputs">The candidate's values that the tap was computed from.</param>
/// <param name="Worst">The worst element; null when there is none to show.</param>
/// <param name="OverBudget">How many times the budget.</param>
/// <param name="Recognised">What the wrong values look like, e.g. <c>all zero</c>; empty when like nothing.</param>
/// <param name="SourceFile">The reference's page of the last operator.</param>
public sealed record FirstFault(
    string Id,
    string Tap,
    int? Layer,
    IReadOnlyList<string> Blocks,
    IReadOnlyList<string> Operators,
    IReadOnlyList<string> Inputs,
    WorstValue? Worst,
    double OverBudget,
    string Recognised,
    string SourceFile);

/// <summary>The element that is furthest over (or nearest to) its budget.</summary>
/// <param name="Index">Its place, e.g. <c>[0, 3, 17]</c> in the axes of the tap.</param>
/// <param name="Token">The token (row of batch · tokens), or −1 where the tap has none.</param>
/// <param name="Candidate">The candidate's value.</param>
/// <param name="Reference">The reference's value.</param>
public sealed record WorstValue(string Index, int Token, double Candidate, double Reference);

/// <summary>How far one tensor is from another, in float64.</summary>
/// <param name="Compared">The number of elements.</param>
/// <param name="L2Relative">‖candidate − reference‖₂ / ‖reference‖₂.</param>
/// <param name="MaxAbsolute">max |candidate − reference|.</param>
/// <param name="MaxRelative">max |candidate − reference| / max |reference|.</param>
/// <param name="Cosine">⟨candidate, reference⟩ / (‖candidate‖₂·‖reference‖₂).</param>
/// <param name="MaxUlps">The largest distance in units in the last place of the candidate's type.</param>
public sealed record TapDistance(
    long Compared, double L2Relative, double MaxAbsolute, double MaxRelative, double Cosine, long MaxUlps)
{
    /// <summary>Normalised mean square error: ‖candidate − reference‖₂² / ‖reference‖₂².</summary>
    public double NormalisedMeanSquareError => L2Relative * L2Relative;

    /// <summary>Signal to noise in decibels: −10·log₁₀(NMSE).</summary>
    public double SignalToNoise => -20 * Math.Log10(L2Relative);
}

/// <summary>
/// How far legal ways to compute a tap lie from the reference's, over the same inputs: the largest of all variants.
/// </summary>
/// <param name="L2Relative">Of the whole tap, relative to ‖reference‖₂.</param>
/// <param name="TokenRelative">Of the worst token, relative to that token's norm.</param>
/// <param name="Largest">The largest element's, absolute.</param>
public sealed record NoiseBand(double L2Relative, double TokenRelative, double Largest);

/// <summary>One tap on the candidate's own inputs.</summary>
public sealed record TapFinding
{
    /// <summary>Stable: <c>layer/operator/tap</c>, <c>-</c> for no layer.</summary>
    public required string Id { get; init; }

    /// <summary>The tap.</summary>
    public required string Tap { get; init; }

    /// <summary>The layer; null outside the layers.</summary>
    public int? Layer { get; init; }

    /// <summary>The blocks between the candidate's nearest values and the tap.</summary>
    public IReadOnlyList<string> Blocks { get; init; } = [];

    /// <summary>The operators between the candidate's nearest values and the tap.</summary>
    public IReadOnlyList<string> Operators { get; init; } = [];

    /// <summary>The candidate's nearest values: what the tap was computed from.</summary>
    public IReadOnlyList<string> Inputs { get; init; } = [];

    /// <summary>How far the candidate is off.</summary>
    public required TapDistance Distance { get; init; }

    /// <summary>How far legal variants are off.</summary>
    public required NoiseBand Band { get; init; }

    /// <summary>The budget made from the band; see the folder's page.</summary>
    public required NoiseBand Budget { get; init; }

    /// <summary>The error divided by the budget: the largest of the three kinds; above 1 fails.</summary>
    public required double OverBudget { get; init; }

    /// <summary>The legal variant that the candidate is nearest to.</summary>
    public string NearestVariant { get; init; } = string.Empty;

    /// <summary>The L2 distance from it, relative.</summary>
    public double NearestL2Relative { get; init; }

    /// <summary>Per token of batch · tokens, ‖error‖₂/‖reference‖₂; NaN for a token that was left out, ∞ where a
    /// value is not finite.</summary>
    public IReadOnlyList<double> TokenErrors { get; init; } = [];

    /// <summary>
    /// Elements by their distance in ulps of the candidate's type: 0, 1, 2–3, 4–7, …; the last has the rest.
    /// </summary>
    public IReadOnlyList<long> UlpHistogram { get; init; } = [];

    /// <summary>Tokens left out because an undecided choice of experts lies between.</summary>
    public int TokensLeftOut { get; init; }

    /// <summary>The worst element; null when nothing was compared.</summary>
    public WorstValue? Worst { get; init; }

    /// <summary>What the values look like, e.g. <c>all zero</c>, <c>shifted by one token</c>; empty when like
    /// nothing.</summary>
    public string Recognised { get; init; } = string.Empty;

    /// <summary>What became of it.</summary>
    public required Verdict Verdict { get; init; }

    /// <summary>Why it was not compared, or what was odd.</summary>
    public string Note { get; init; } = string.Empty;
}

/// <summary>One tap against the reference's own run.</summary>
/// <param name="Tap">The tap.</param>
/// <param name="Layer">The layer; null outside the layers.</param>
/// <param name="Distance">How far the candidate has drifted.</param>
/// <param name="Band">How far legal variants drift.</param>
/// <param name="TokenErrors">Per token, ‖error‖₂/‖reference‖₂.</param>
public sealed record DriftPoint(
    string Tap, int? Layer, TapDistance Distance, NoiseBand Band, IReadOnlyList<double> TokenErrors);

/// <summary>One layer's choice of experts, on the candidate's own router input.</summary>
public sealed record RouterFinding
{
    /// <summary>Stable: <c>layer/GroupLimitedTopK/tap</c>.</summary>
    public required string Id { get; init; }

    /// <summary>The layer.</summary>
    public required int Layer { get; init; }

    /// <summary>Tokens compared.</summary>
    public required int Tokens { get; init; }

    /// <summary>Tokens with the reference's set of experts.</summary>
    public required int SameExperts { get; init; }

    /// <summary>Tokens with the reference's order too.</summary>
    public required int SameOrder { get; init; }

    /// <summary>Tokens whose experts lie in the same groups.</summary>
    public required int SameGroups { get; init; }

    /// <summary>Tokens with another set by less than the noise of the scores.</summary>
    public required int NearTies { get; init; }

    /// <summary>Tokens with another set by a comfortable margin.</summary>
    public required int Wrong { get; init; }

    /// <summary>The smallest margin of the reference's choice.</summary>
    public required double SmallestMargin { get; init; }

    /// <summary>The largest noise of a biased score among legal variants, over the tokens.</summary>
    public required double ScoreNoise { get; init; }

    /// <summary>Weights of the candidate's experts against the reference's for the same experts: largest
    /// difference.</summary>
    public double? LargestWeightError { get; init; }

    /// <summary>The first wrong token in words; empty when there is none.</summary>
    public string Note { get; init; } = string.Empty;

    /// <summary>What became of it.</summary>
    public required Verdict Verdict { get; init; }
}

/// <summary>The logits against the reference's own run, over the whole vocabulary, in float64 and nats.</summary>
public sealed record LogitsFinding
{
    /// <summary>Positions compared.</summary>
    public required int Positions { get; init; }

    /// <summary>Mean of Σ p·(log p − log q), p the reference's probabilities and q the candidate's.</summary>
    public required double ReferenceToCandidate { get; init; }

    /// <summary>Mean of Σ q·(log q − log p).</summary>
    public required double CandidateToReference { get; init; }

    /// <summary>The largest of the first over legal variants: what noise does.</summary>
    public required double NoiseReferenceToCandidate { get; init; }

    /// <summary>The share of positions where both have the same best token.</summary>
    public required double SameBest { get; init; }

    /// <summary>The smallest such share among legal variants: what noise does.</summary>
    public required double NoiseSameBest { get; init; }

    /// <summary>The mean share of the reference's best five among the candidate's best five.</summary>
    public required double BestFiveAgreement { get; init; }

    /// <summary>The worst rank, from 1, that the candidate gives the reference's best token.</summary>
    public required int WorstRank { get; init; }

    /// <summary>Mean of the candidate's negative log-likelihood of the next id minus the reference's; null with one
    /// token.</summary>
    public double? LikelihoodDifference { get; init; }

    /// <summary>The worst positions, worst first.</summary>
    public required IReadOnlyList<LogitsPosition> Worst { get; init; }
}

/// <summary>One position of the logits.</summary>
/// <param name="Token">Row of batch · tokens.</param>
/// <param name="Id">The id that was fed there.</param>
/// <param name="ReferenceToCandidate">Its Kullback-Leibler divergence.</param>
/// <param name="ReferenceBest">The reference's best id.</param>
/// <param name="CandidateBest">The candidate's best id.</param>
/// <param name="Rank">The rank, from 1, of the reference's best with the candidate.</param>
public sealed record LogitsPosition(
    int Token, long Id, double ReferenceToCandidate, int ReferenceBest, int CandidateBest, int Rank);
