// A dump in memory for the tests of maps and layouts. Red nowhere by itself.
using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Dumps;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Tests.Comparison;

/// <summary>Named arrays as another program might have written them.</summary>
internal sealed class MemoryDump : Dump
{
    private readonly List<DumpTensor> tensors = [];

    public override string Description => "memory dump";

    public override string Format => "memory";

    public override IReadOnlyList<DumpTensor> Tensors => tensors;

    public override IReadOnlyList<string> Notes => [];

    public MemoryDump Add(string name, float[] values, params long[] shape) =>
        Add(name, ElementType.Float32, values, [], shape);

    public MemoryDump Add(string name, long[] values, params long[] shape)
    {
        tensors.Add(new Integers(name, values, shape));
        return this;
    }

    public MemoryDump Add(
        string name, ElementType type, float[] values, (string Key, string Value)[] attributes, params long[] shape)
    {
        tensors.Add(new Floats(
            name, type, values, shape, attributes.ToDictionary(pair => pair.Key, pair => pair.Value)));
        return this;
    }

    public void Add(DumpTensor tensor) => tensors.Add(tensor);

    private static void CheckLength(int length, long[] shape)
    {
        long expected = shape.Aggregate(1L, (product, axis) => product * axis);
        if (length != expected)
        {
            throw new ArgumentException($"{length} values for {TensorInfo.FormatShape(shape)}");
        }
    }

    private sealed class Floats : DumpTensor
    {
        private readonly float[] values;

        public Floats(
            string name,
            ElementType type,
            float[] values,
            long[] shape,
            IReadOnlyDictionary<string, string> attributes)
        {
            CheckLength(values.Length, shape);
            (Name, ElementType, this.values, Shape, Attributes) = (name, type, values, shape, attributes);
        }

        public override string Name { get; }

        public override string Place => "memory";

        public override ElementType ElementType { get; }

        public override IReadOnlyList<long> Shape { get; }

        public override IReadOnlyDictionary<string, string> Attributes { get; }

        public override void ReadSingle(long first, Span<float> destination) =>
            values.AsSpan((int)first, destination.Length).CopyTo(destination);

        public override void ReadInt64(long first, Span<long> destination) =>
            throw new InvalidInputException("memory", Name, "holds no integers");
    }

    private sealed class Integers : DumpTensor
    {
        private readonly long[] values;

        public Integers(string name, long[] values, long[] shape)
        {
            CheckLength(values.Length, shape);
            (Name, this.values, Shape) = (name, values, shape);
        }

        public override string Name { get; }

        public override string Place => "memory";

        public override ElementType ElementType => ElementType.Int64;

        public override IReadOnlyList<long> Shape { get; }

        public override IReadOnlyDictionary<string, string> Attributes { get; } = new Dictionary<string, string>();

        public override void ReadSingle(long first, Span<float> destination)
        {
            for (int index = 0; index < destination.Length; index++)
            {
                destination[index] = values[first + index];
            }
        }

        public override void ReadInt64(long first, Span<long> destination) =>
            values.AsSpan((int)first, destination.Length).CopyTo(destination);
    }
}
