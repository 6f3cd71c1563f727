using System;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Comparison;

/// <summary>
/// A forward pass part by part (embedding, each layer, head) on another program's own values: wherever the candidate
/// holds a tap, its values replace the computed ones and the next operator starts from them. So each tap shows the
/// error of the operators since the nearest values that the candidate holds, and nothing that happened before.
/// </summary>
/// <remarks>
/// Several runs, with different operators, can go through the parts side by side. With a candidate of no taps this is
/// the free run.
/// </remarks>
public sealed class BlockIsolatedRun
{
    private readonly ComparisonReference reference;
    private readonly Candidate candidate;
    private readonly RingFlashModel<float> model;
    private readonly ForwardTrace<float> trace;
    private HostTensor<float>? hiddenStates;

    /// <summary>Starts before the embedding.</summary>
    /// <param name="reference">The model and its input.</param>
    /// <param name="candidate">Whose values are fed in.</param>
    /// <param name="operators">The operators: the reference's, another legal rounding of them, or a mistaken
    /// twin.</param>
    /// <param name="weights">The weights.</param>
    /// <param name="sees">
    /// Is shown every result as computed, before the candidate's takes its place; it must copy what it keeps. The
    /// router's weights come as <c>….gate.topk_weight</c> in the candidate's order of experts.
    /// </param>
    /// <param name="configuration">The model's numbers where they are not the reference's; null for these.</param>
    public BlockIsolatedRun(
        ComparisonReference reference,
        Candidate candidate,
        ForwardOperators<float> operators,
        ModelWeights weights,
        ForwardTrace<float> sees,
        ModelConfiguration? configuration = null)
    {
        ArgumentNullException.ThrowIfNull(reference);
        this.reference = reference;
        this.candidate = candidate;
        configuration ??= reference.Configuration;
        model = new RingFlashModel<float>(configuration, weights, operators);
        trace = new SubstitutingTrace(
            candidate, RouterChoice.ShapeOf(configuration), reference.Input.Tokens, sees);
    }

    /// <summary>The embedding, the layers and the head.</summary>
    public int PartCount => reference.Configuration.LayerCount + 2;

    /// <summary>The part that runs next: 0 the embedding, l + 1 layer l, the last one final norm and head.</summary>
    public int NextPart { get; private set; }

    /// <summary>Jumps to a part whose input the candidate holds: the output of the layer before it.</summary>
    /// <param name="part">1 … PartCount − 1.</param>
    /// <returns>False when the candidate does not hold it, and nothing happened.</returns>
    public bool TryStartAt(int part)
    {
        if (!candidate.Taps.TryGetValue(DataFlow.LayerOutput(part - 2), out CandidateTap? input)
            || input.Rows is not null)
        {
            return false;
        }

        HostTensor<float> values = new(
            reference.Input.Batch, reference.Input.Tokens, reference.Configuration.HiddenSize);
        TapShape.ReadInto(input, values, reference.Input.Tokens);
        hiddenStates = values;
        NextPart = part;
        return true;
    }

    /// <summary>Runs the next part.</summary>
    public void RunNext()
    {
        int part = NextPart;
        NextPart++;
        if (part == 0)
        {
            hiddenStates = model.RunEmbedding(reference.Input, trace);
        }
        else if (part < PartCount - 1)
        {
            hiddenStates = model.RunLayer(part - 1, hiddenStates!, reference.Input, trace);
        }
        else
        {
            _ = model.RunHead(hiddenStates!, reference.Input, trace);
        }
    }
}
