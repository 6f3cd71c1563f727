// Shared by the model tests. Red here: one forward pass shows two results under one tap name.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Runtime.InteropServices;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using Xunit;

namespace RingFlash.Reference.Tests.Model;

/// <summary>Keeps a copy of everything a forward pass shows, in order.</summary>
internal sealed class Recorder<T> : ForwardTrace<T>
    where T : unmanaged
{
    /// <summary>Names in the order of the pass.</summary>
    public List<string> Names { get; } = [];

    public Dictionary<string, HostTensor<T>> Tensors { get; } = [];

    /// <summary>The chosen experts, by tap name, with the number per token.</summary>
    public Dictionary<string, (int[] Indices, int TopK)> Choices { get; } = [];

    /// <summary>Taps whose values are replaced by these before the pass goes on.</summary>
    public Dictionary<string, T[]> Replacements { get; } = [];

    public override void Tap(string name, HostTensor<T> tensor)
    {
        if (Replacements.TryGetValue(name, out T[]? values))
        {
            Assert.Equal(values.Length, tensor.Values.Length);
            values.CopyTo(tensor.Values, 0);
        }

        Names.Add(name);
        Tensors.Add(name, Copy(tensor));
    }

    public override void TapDecision(string name, RouterDecision<T> decision)
    {
        Names.Add(name + ".topk_idx");
        Choices.Add(name + ".topk_idx", ((int[])decision.TopKIndices.Clone(), decision.TopK));
        Tap(name + ".topk_weight", decision.TopKWeights);
        Tap(name + ".margin", decision.Margins);
    }

    private static HostTensor<T> Copy(HostTensor<T> tensor)
    {
        HostTensor<T> copy = new(tensor.Shape.ToArray());
        tensor.Values.CopyTo(copy.Values, 0);
        return copy;
    }
}

/// <summary>A finished pass with all it showed.</summary>
internal sealed record Run<T>(ForwardResult<T> Result, Recorder<T> Taps)
    where T : unmanaged
{
    public float[] Single(string name) => (float[])(object)Taps.Tensors[name].Values;
}

internal static class Runs
{
    /// <summary>A copy of a result that outlives the model's next pass.</summary>
    public static ForwardResult<T> Kept<T>(this ForwardResult<T> result)
        where T : unmanaged
    {
        return result with
        {
            HiddenStates = Copy(result.HiddenStates),
            Logits = Copy(result.Logits),
            MultiTokenLogits = result.MultiTokenLogits is null ? null : Copy(result.MultiTokenLogits),
        };

        static HostTensor<T> Copy(HostTensor<T> tensor)
        {
            HostTensor<T> copy = new(tensor.Shape);
            tensor.Span.CopyTo(copy.Span);
            return copy;
        }
    }

    public static Run<T> Of<T>(
        ModelConfiguration configuration,
        ModelWeights weights,
        ForwardOperators<T> operators,
        ForwardInput input,
        KeyValueCache<T>? cache = null,
        Recorder<T>? recorder = null)
        where T : unmanaged, System.Numerics.INumber<T>
    {
        Recorder<T> taps = recorder ?? new Recorder<T>();
        return new Run<T>(new RingFlashModel<T>(configuration, weights, operators).Forward(input, cache, taps), taps);
    }

    /// <summary>Asserts that two passes showed the same names and the same bits.</summary>
    public static void AssertSameBits(Run<float> expected, Run<float> actual)
    {
        Assert.Equal(expected.Taps.Names, actual.Taps.Names);
        Assert.True(expected.Taps.Names.Count > 20, "a pass shows more than twenty results");
        foreach (string name in expected.Taps.Names)
        {
            if (expected.Taps.Choices.TryGetValue(name, out (int[] Indices, int TopK) choice))
            {
                Assert.Equal(choice.Indices, actual.Taps.Choices[name].Indices);
            }
            else
            {
                AssertSameBits(name, expected.Single(name), actual.Single(name));
            }
        }

        AssertSameBits("result.hidden", expected.Result.HiddenStates.Values, actual.Result.HiddenStates.Values);
        AssertSameBits("result.logits", expected.Result.Logits.Values, actual.Result.Logits.Values);
        AssertSameBits(
            "result.mtp",
            expected.Result.MultiTokenLogits?.Values ?? [],
            actual.Result.MultiTokenLogits?.Values ?? []);
        Assert.Equal(expected.Result.Losses, actual.Result.Losses);
    }

    public static void AssertSameBits(string name, ReadOnlySpan<float> expected, ReadOnlySpan<float> actual)
    {
        Assert.True(expected.Length == actual.Length, $"{name}: {expected.Length} and {actual.Length} elements");
        if (MemoryMarshal.AsBytes(expected).SequenceEqual(MemoryMarshal.AsBytes(actual)))
        {
            return;
        }

        int first = Enumerable.Range(0, expected.Length).First(Differs(expected.ToArray(), actual.ToArray()));
        Assert.Fail($"{name}[{first}]: expected {expected[first]:R}, found {actual[first]:R}");
    }

    private static Func<int, bool> Differs(float[] left, float[] right) => index =>
        BitConverter.SingleToInt32Bits(left[index]) != BitConverter.SingleToInt32Bits(right[index]);
}
