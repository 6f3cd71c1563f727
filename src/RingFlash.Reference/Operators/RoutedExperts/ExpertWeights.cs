using RingFlash.Reference.Checkpoint;

namespace RingFlash.Reference.Operators;

/// <summary>
/// The three projections of one feed-forward block: an expert, the shared expert, or a dense layer's.
/// </summary>
/// <param name="Gate">gate_proj, [intermediate, hidden].</param>
/// <param name="Up">up_proj, [intermediate, hidden].</param>
/// <param name="Down">down_proj, [hidden, intermediate].</param>
public sealed record ExpertWeights(WeightMatrix Gate, WeightMatrix Up, WeightMatrix Down);
