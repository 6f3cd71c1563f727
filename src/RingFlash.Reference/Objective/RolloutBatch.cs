using System;
using System.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Objective;

/// <summary>
/// The sampled responses of one update in float64: four log-probabilities and a mask per token, one advantage per
/// response. Rows are padded to one length; the mask may have holes inside a response.
/// </summary>
/// <remarks>
/// <para>Axes: log-probabilities and mask [rollouts, response], row-major, nats; advantages and groups
/// [rollouts].</para>
/// <para>The arrays are kept, not copied, and never written. Whatever stands outside the mask is never looked at, NaN
/// and ±∞ included. Positive log-probabilities are allowed: only differences matter to most operators.</para>
/// </remarks>
public sealed class RolloutBatch
{
    /// <summary>Checks shapes and advantages.</summary>
    /// <param name="rollouts">The number of responses; 0 gives loss 0.</param>
    /// <param name="responseLength">The padded length.</param>
    /// <param name="currentLogProbabilities">log π_train(y; θ), the only differentiated quantity.</param>
    /// <param name="oldLogProbabilities">log π_train(y; θ_old), the weights that made the rollout.</param>
    /// <param name="inferenceLogProbabilities">log π_infer(y; θ_old), as the sampling engine reported them.</param>
    /// <param name="advantages">Â, one finite number per response.</param>
    /// <param name="responseMask">1 for a token that trains, 0 for any other.</param>
    /// <param name="referenceLogProbabilities">Log-probabilities of the reference policy; read only with a KL
    /// term.</param>
    /// <param name="groups">The prompt that each response belongs to; carried for the caller.</param>
    public RolloutBatch(
        int rollouts,
        int responseLength,
        double[] currentLogProbabilities,
        double[] oldLogProbabilities,
        double[] inferenceLogProbabilities,
        double[] advantages,
        byte[] responseMask,
        double[]? referenceLogProbabilities = null,
        long[]? groups = null)
    {
        Arrays = new RolloutArrays<double>(
            rollouts,
            responseLength,
            currentLogProbabilities,
            oldLogProbabilities,
            inferenceLogProbabilities,
            advantages,
            responseMask,
            referenceLogProbabilities);
        if (groups is not null && groups.Length != rollouts)
        {
            throw new ArgumentException(
                $"There are {groups.Length} group ids for {rollouts} rollouts.", nameof(groups));
        }

        Groups = groups;
    }

    /// <summary>The number of responses.</summary>
    public int Rollouts => Arrays.Rollouts;

    /// <summary>The padded length of a response.</summary>
    public int ResponseLength => Arrays.ResponseLength;

    /// <summary>[rollouts, response].</summary>
    public ReadOnlySpan<double> CurrentLogProbabilities => Arrays.Current;

    /// <summary>[rollouts, response].</summary>
    public ReadOnlySpan<double> OldLogProbabilities => Arrays.Old;

    /// <summary>[rollouts, response].</summary>
    public ReadOnlySpan<double> InferenceLogProbabilities => Arrays.Inference;

    /// <summary>[rollouts, response], or empty.</summary>
    public ReadOnlySpan<double> ReferenceLogProbabilities => Arrays.Reference;

    /// <summary>[rollouts].</summary>
    public ReadOnlySpan<double> Advantages => Arrays.Advantages;

    /// <summary>[rollouts, response].</summary>
    public ReadOnlySpan<byte> ResponseMask => Arrays.ResponseMask;

    /// <summary>[rollouts], or null.</summary>
    public long[]? Groups { get; }

    /// <summary>[rollouts], response tokens of each row.</summary>
    public ReadOnlySpan<int> RowCounts => Arrays.RowCounts;

    /// <summary>B, B⁺ and N of this batch, to be passed to its micro-batches.</summary>
    public LossDenominators Denominators => LossDenominators.Count(Arrays.RowCounts);

    /// <summary>The arrays, for the objective.</summary>
    internal RolloutArrays<double> Arrays { get; }

    /// <summary>Builds a batch from packed tokens: response i holds tokens offsets[i] … offsets[i + 1] − 1.</summary>
    /// <param name="offsets">[rollouts + 1], ascending from 0 to the number of tokens.</param>
    /// <param name="currentLogProbabilities">[tokens].</param>
    /// <param name="oldLogProbabilities">[tokens].</param>
    /// <param name="inferenceLogProbabilities">[tokens].</param>
    /// <param name="advantages">[rollouts].</param>
    /// <param name="responseMask">[tokens], or null when every token trains.</param>
    /// <param name="referenceLogProbabilities">[tokens], or null.</param>
    /// <param name="groups">[rollouts], or null.</param>
    /// <returns>The padded batch; padding is masked and 0.</returns>
    public static RolloutBatch FromPacked(
        int[] offsets,
        double[] currentLogProbabilities,
        double[] oldLogProbabilities,
        double[] inferenceLogProbabilities,
        double[] advantages,
        byte[]? responseMask = null,
        double[]? referenceLogProbabilities = null,
        long[]? groups = null)
    {
        ArgumentNullException.ThrowIfNull(currentLogProbabilities);
        int longest = PackedRows.Check(offsets, currentLogProbabilities.Length);
        byte[] mask = responseMask ?? PackedRows.Ones(currentLogProbabilities.Length);
        return new RolloutBatch(
            offsets.Length - 1,
            longest,
            PackedRows.Pad(offsets, longest, currentLogProbabilities, nameof(currentLogProbabilities)),
            PackedRows.Pad(offsets, longest, oldLogProbabilities, nameof(oldLogProbabilities)),
            PackedRows.Pad(offsets, longest, inferenceLogProbabilities, nameof(inferenceLogProbabilities)),
            advantages,
            PackedRows.Pad(offsets, longest, mask, nameof(responseMask)),
            referenceLogProbabilities is null
                ? null
                : PackedRows.Pad(offsets, longest, referenceLogProbabilities, nameof(referenceLogProbabilities)),
            groups);
    }

    /// <summary>The same batch with every number rounded to float32.</summary>
    /// <returns>A new batch; the mask is shared.</returns>
    public RolloutBatchSingle ToSingle() => new(
        Rollouts,
        ResponseLength,
        Round(Arrays.Current),
        Round(Arrays.Old),
        Round(Arrays.Inference),
        Round(Arrays.Advantages),
        Arrays.ResponseMask,
        Arrays.Reference is null ? null : Round(Arrays.Reference),
        Groups);

    private static float[] Round(double[] values) => Array.ConvertAll(values, value => (float)value);
}

/// <summary>A <see cref="RolloutBatch"/> in float32, for the engines.</summary>
public sealed class RolloutBatchSingle
{
    /// <summary>Checks shapes and advantages; parameters as for <see cref="RolloutBatch"/>.</summary>
    /// <param name="rollouts">The number of responses.</param>
    /// <param name="responseLength">The padded length.</param>
    /// <param name="currentLogProbabilities">[rollouts, response].</param>
    /// <param name="oldLogProbabilities">[rollouts, response].</param>
    /// <param name="inferenceLogProbabilities">[rollouts, response].</param>
    /// <param name="advantages">[rollouts].</param>
    /// <param name="responseMask">[rollouts, response].</param>
    /// <param name="referenceLogProbabilities">[rollouts, response], or null.</param>
    /// <param name="groups">[rollouts], or null.</param>
    public RolloutBatchSingle(
        int rollouts,
        int responseLength,
        float[] currentLogProbabilities,
        float[] oldLogProbabilities,
        float[] inferenceLogProbabilities,
        float[] advantages,
        byte[] responseMask,
        float[]? referenceLogProbabilities = null,
        long[]? groups = null)
    {
        Arrays = new RolloutArrays<float>(
            rollouts,
            responseLength,
            currentLogProbabilities,
            oldLogProbabilities,
            inferenceLogProbabilities,
            advantages,
            responseMask,
            referenceLogProbabilities);
        Groups = groups;
    }

    /// <summary>The number of responses.</summary>
    public int Rollouts => Arrays.Rollouts;

    /// <summary>The padded length of a response.</summary>
    public int ResponseLength => Arrays.ResponseLength;

    /// <summary>[rollouts], or null.</summary>
    public long[]? Groups { get; }

    /// <summary>B, B⁺ and N of this batch.</summary>
    public LossDenominators Denominators => LossDenominators.Count(Arrays.RowCounts);

    /// <summary>The arrays, for the objective.</summary>
    internal RolloutArrays<float> Arrays { get; }
}
