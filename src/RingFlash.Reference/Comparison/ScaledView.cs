using System;
using System.Runtime.InteropServices;
using RingFlash.Reference.Checkpoint;

namespace RingFlash.Reference.Comparison;

/// <summary>
/// Values times a constant, one float32 product each: router weights of an engine that applies the factor later.
/// </summary>
/// <param name="source">The values.</param>
/// <param name="factor">The constant.</param>
internal sealed class ScaledView(TensorView source, float factor) : TensorView
{
    public override long Length => source.Length;

    public override ElementType ElementType => source.ElementType;

    public override void Read<T>(long first, Span<T> destination)
    {
        source.Read(first, destination);
        foreach (ref float value in MemoryMarshal.Cast<T, float>(destination))
        {
            value *= factor;
        }
    }
}
