// The taps of a golden case and what it was fed, for the tests of maps and layouts. Red nowhere by itself.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Comparison;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Model;
using Xunit;

namespace RingFlash.Reference.Tests.Comparison;

/// <summary>A small golden case in arrays.</summary>
internal sealed class GoldenTaps
{
    public GoldenTaps(string name)
    {
        string folder = Path.Combine(RepositoryRoot.Golden, name);
        Configuration = ConfigurationReader.ReadFile(Path.Combine(folder, "config.json"));
        using SafetensorsFile file = SafetensorsFile.Open(Path.Combine(folder, "golden.safetensors"));
        foreach (TensorInfo tensor in file.Tensors)
        {
            Shapes.Add(tensor.Name, [.. tensor.Shape]);
            if (tensor.ElementType == ElementType.Int64)
            {
                byte[] bytes = new byte[tensor.ElementCount * sizeof(long)];
                file.ReadBytes(tensor, 0, bytes);
                long[] values = new long[tensor.ElementCount];
                Buffer.BlockCopy(bytes, 0, values, 0, bytes.Length);
                Integers.Add(tensor.Name, values);
            }
            else
            {
                float[] values = new float[tensor.ElementCount];
                file.Read(tensor, 0, values);
                Floats.Add(tensor.Name, values);
            }
        }

        Batch = (int)Shapes["input_ids"][0];
        Tokens = (int)Shapes["input_ids"][1];
        Input = new ForwardInput(Integers["input_ids"], Batch)
        {
            AttentionMask = Integers["attention_mask"],
            Positions = Integers["position_ids"],
        };
    }

    public ModelConfiguration Configuration { get; }

    public ForwardInput Input { get; }

    public int Batch { get; }

    public int Tokens { get; }

    public Dictionary<string, float[]> Floats { get; } = [];

    public Dictionary<string, long[]> Integers { get; } = [];

    public Dictionary<string, long[]> Shapes { get; } = [];

    /// <summary>Taps of the model: neither inputs nor what no other program has.</summary>
    public IEnumerable<string> Names => Shapes.Keys.Where(name =>
        name is not ("input_ids" or "attention_mask" or "position_ids" or "labels"));

    /// <summary>All of the case under our names.</summary>
    public MemoryDump Dump()
    {
        MemoryDump dump = new();
        foreach (string name in Shapes.Keys)
        {
            AddTo(dump, name, name);
        }

        return dump;
    }

    public void AddTo(MemoryDump dump, string tap, string name, params long[] shape)
    {
        long[] axes = shape.Length == 0 ? Shapes[tap] : shape;
        if (Floats.TryGetValue(tap, out float[]? values))
        {
            dump.Add(name, values, axes);
        }
        else
        {
            dump.Add(name, Integers[tap], axes);
        }
    }

    /// <summary>Demands that a candidate holds these taps, bit for bit, and nothing that did not fit.</summary>
    public void AssertSame(
        Candidate candidate, IEnumerable<string> taps, Dictionary<string, float[]>? changed = null)
    {
        string[] expected = [.. taps.Order(StringComparer.Ordinal)];
        Assert.NotEmpty(expected);
        Assert.Empty(candidate.Misfits);
        Assert.Empty(candidate.Doubles);
        Assert.Equal(expected, candidate.Taps.Keys.Order(StringComparer.Ordinal));
        foreach (string tap in expected)
        {
            CandidateTap actual = candidate.Taps[tap];
            Assert.Equal(tap, actual.Name);
            Assert.Equal(Shapes[tap], actual.Shape);
            Assert.Null(actual.Rows);
            AssertValues(tap, actual, changed?.GetValueOrDefault(tap));
        }
    }

    private void AssertValues(string tap, CandidateTap actual, float[]? changed)
    {
        if (Integers.TryGetValue(tap, out long[]? integers))
        {
            Assert.Equal(integers, actual.ReadInt64());
            return;
        }

        // In pieces of an odd length, so that pieces begin everywhere in a run.
        float[] values = new float[actual.ElementCount];
        for (int first = 0; first < values.Length; first += 37)
        {
            actual.ReadSingle(first, values.AsSpan(first, Math.Min(37, values.Length - first)));
        }

        Assert.True((changed ?? Floats[tap]).AsSpan().SequenceEqual(values), $"{tap} came back changed");
    }
}
