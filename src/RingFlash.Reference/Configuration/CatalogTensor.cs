using RingFlash.Reference.Checkpoint;

namespace RingFlash.Reference.Configuration;

/// <summary>One tensor that a checkpoint of the configuration holds.</summary>
/// <param name="Info">Name, published element type and shape.</param>
/// <param name="Part">The part of the model.</param>
/// <param name="IsLinear">
/// Whether it is the matrix of a linear layer, so that it may be stored as FP8 codes with a <c>_scale_inv</c>
/// companion. The router is not one: the published gate multiplies in float32.
/// </param>
/// <param name="ScaledName">For a scale companion, the name of the matrix that it scales; otherwise null.</param>
public sealed record CatalogTensor(TensorInfo Info, ModelPart Part, bool IsLinear = false, string? ScaledName = null);
