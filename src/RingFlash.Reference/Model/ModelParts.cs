using System;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Model;

/// <summary>
/// What a float32 or bfloat16 forward pass without a cache is made of. A variation of the model is another value of
/// this record: <c>parts with { … }</c>.
/// </summary>
/// <param name="Configuration">The sizes and numbers.</param>
/// <param name="Source">Where the weights come from.</param>
/// <param name="Weights">The weights.</param>
/// <param name="Operators">Who computes, under a precision policy.</param>
/// <param name="Input">What the pass is fed.</param>
public sealed record ModelParts(
    ModelConfiguration Configuration,
    IWeightSource Source,
    ModelWeights Weights,
    ForwardOperators<float> Operators,
    ForwardInput Input)
{
    /// <summary>Whether wider weights are rounded to bfloat16, as loading in bfloat16 does.</summary>
    public bool RoundWeights { get; init; }

    /// <summary>Puts the parts together.</summary>
    /// <param name="configuration">The sizes and numbers.</param>
    /// <param name="source">Where the weights come from.</param>
    /// <param name="operators">Who computes.</param>
    /// <param name="input">What the pass is fed.</param>
    /// <param name="roundWeights">Whether wider weights are rounded to bfloat16.</param>
    /// <returns>The parts.</returns>
    public static ModelParts Of(
        ModelConfiguration configuration,
        IWeightSource source,
        ForwardOperators<float> operators,
        ForwardInput input,
        bool roundWeights) =>
        new(configuration, source, new ModelWeights(source, configuration, roundWeights), operators, input)
        {
            RoundWeights = roundWeights,
        };

    /// <summary>The model of these parts.</summary>
    /// <returns>A new one.</returns>
    public RingFlashModel<float> Build() => new(Configuration, Weights, Operators);

    /// <summary>Runs all of the model.</summary>
    /// <param name="trace">Sees every intermediate result.</param>
    public void Run(ForwardTrace<float> trace) => Build().Forward(Input, null, trace);
}
