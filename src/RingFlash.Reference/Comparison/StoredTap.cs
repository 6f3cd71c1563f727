using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Checkpoint;

namespace RingFlash.Reference.Comparison;

/// <summary>A tap that lies in a safetensors file as it is.</summary>
internal sealed record StoredTap(SafetensorsFile File, TensorInfo Tensor)
    : CandidateTap(Tensor.Name, $"{File.Description}: {Tensor.Name}", Tensor.ElementType, Tensor.Shape)
{
    private static readonly string[] Inputs = ["input_ids", "position_ids", "attention_mask", "labels", "positions"];

    /// <inheritdoc/>
    public override void ReadSingle(long first, Span<float> destination) => File.Read(Tensor, first, destination);

    /// <inheritdoc/>
    public override long[] ReadInt64() => File.ReadInt64(Tensor);

    /// <summary>A file whose tensors have the golden format's names, as a candidate.</summary>
    /// <param name="file">The file; stays with the caller.</param>
    /// <returns>The candidate.</returns>
    public static Candidate CandidateOf(SafetensorsFile file)
    {
        Dictionary<string, CandidateTap> taps = new(StringComparer.Ordinal), inputs = new(StringComparer.Ordinal);
        foreach (TensorInfo tensor in file.Tensors)
        {
            if (Inputs.Contains(tensor.Name))
            {
                inputs.Add(tensor.Name, new StoredTap(file, tensor));
            }
            else if (!tensor.Name.StartsWith("weights.", StringComparison.Ordinal))
            {
                taps.Add(tensor.Name, new StoredTap(file, tensor));
            }
        }

        return new Candidate { Description = file.Description, Taps = taps, Inputs = inputs };
    }
}
