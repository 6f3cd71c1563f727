using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Checkpoint;

namespace RingFlash.Reference.Comparison;

/// <summary>A tap that lies in a safetensors file as it is.</summary>
internal sealed record StoredTap(SafetensorsFile File, TensorInfo Tensor)
    : CandidateTap(Tensor.Name, $"{File.Description}: {Tensor.Name}", Tensor.ElementType, Tensor.Shape)
{
    /// <inheritdoc/>
    public override void ReadSingle(long first, Span<float> destination) => File.Read(Tensor, first, destination);

    /// <inheritdoc/>
    public override long[] ReadInt64() => File.ReadInt64(Tensor);

    /// <summary>A file whose tensors have the golden format's names, as a candidate.</summary>
    /// <param name="file">The file; stays with the caller.</param>
    /// <returns>The candidate.</returns>
    public static Candidate CandidateOf(SafetensorsFile file) => new()
    {
        Description = file.Description,
        Taps = file.Tensors
            .Where(tensor => !tensor.Name.StartsWith("weights.", StringComparison.Ordinal))
            .ToDictionary(tensor => tensor.Name, CandidateTap (tensor) => new StoredTap(file, tensor)),
    };
}
