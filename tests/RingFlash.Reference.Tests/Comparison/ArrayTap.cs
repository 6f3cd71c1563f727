// Red here means that the dumps of the tests below are not what they say; no product defect.
using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Comparison;

namespace RingFlash.Reference.Tests.Comparison;

/// <summary>A candidate's tap in memory.</summary>
internal sealed record ArrayTap(string Name, ElementType ElementType, IReadOnlyList<long> Shape, float[] Values)
    : CandidateTap(Name, $"memory: {Name}", ElementType, Shape)
{
    public override void ReadSingle(long first, Span<float> destination) =>
        Values.AsSpan((int)first, destination.Length).CopyTo(destination);

    public override long[] ReadInt64() => [.. Values.Select(value => (long)value)];
}
