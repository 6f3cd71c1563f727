using System;
using System.Collections.Generic;
using System.Diagnostics.CodeAnalysis;
using System.Linq;
using System.Text;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Checkpoint;

/// <summary>
/// Weights that exist only while they are looked at: each is a pure function of tensor name, seed and index, so a model
/// of any size needs no disk. Algorithm <c>splitmix64-bf16/1</c> of the golden format.
/// </summary>
/// <remarks>
/// <para>Maths: z = SplitMix64(fnv1a64(name) XOR seed, i); u = ⌊z / 2⁴⁰⌋ / 2²⁴; value = bf16(offset + (2u − 1)·scale),
/// one float32 multiplication and one float32 addition, each rounded, never fused.</para>
/// <para>Types: every value is a bfloat16 number held as float32, whatever element type the tensor reports.</para>
/// <para><see cref="Element"/> is the definition in plain code; <see cref="Read"/> and <see cref="ReadPanel"/> give its
/// bits with vectors, on every instruction set.</para>
/// <para>Source: golden format ringflash-golden/1, "Synthetic weights"; SplitMix64 is that of Steele, Lea and Flood,
/// "Fast splittable pseudorandom number generators", OOPSLA 2014; FNV-1a that of Fowler, Noll and Vo.</para>
/// </remarks>
public sealed partial class SyntheticSource : IWeightSource
{
    /// <summary>The name of the algorithm in case.json and reports.</summary>
    public const string Algorithm = "splitmix64-bf16/1";

    private const ulong FnvOffsetBasis = 0xCBF29CE484222325;
    private const ulong FnvPrime = 0x100000001B3;
    private const ulong Golden = 0x9E3779B97F4A7C15; // 2⁶⁴ divided by the golden ratio: SplitMix64's step
    private const ulong FirstMultiplier = 0xBF58476D1CE4E5B9;
    private const ulong SecondMultiplier = 0x94D049BB133111EB;

    private readonly Dictionary<string, Entry> entries;

    /// <summary>Creates a source for the tensors of a model.</summary>
    /// <param name="description">What a person calls it, e.g. <c>synthetic:ring-flash-2.0@1</c>.</param>
    /// <param name="seed">The case's seed.</param>
    /// <param name="tensors">Names and shapes; the element types are reported as given.</param>
    public SyntheticSource(string description, ulong seed, IReadOnlyCollection<TensorInfo> tensors)
    {
        ArgumentException.ThrowIfNullOrEmpty(description);
        ArgumentNullException.ThrowIfNull(tensors);
        Description = description;
        Seed = seed;
        Tensors = tensors;
        entries = tensors.ToDictionary(
            tensor => tensor.Name,
            tensor => new Entry(tensor, seed),
            StringComparer.Ordinal);
    }

    /// <inheritdoc/>
    public string Description { get; }

    /// <summary>The seed.</summary>
    public ulong Seed { get; }

    /// <inheritdoc/>
    public IReadOnlyCollection<TensorInfo> Tensors { get; }

    /// <summary>FNV-1a with 64 bits over the UTF-8 bytes of a text.</summary>
    /// <param name="text">A tensor name.</param>
    /// <returns>The hash.</returns>
    public static ulong Fnv1a64(string text)
    {
        ulong hash = FnvOffsetBasis;
        foreach (byte value in Encoding.UTF8.GetBytes(text))
        {
            hash = unchecked((hash ^ value) * FnvPrime);
        }

        return hash;
    }

    /// <summary>Element <paramref name="index"/> of the SplitMix64 sequence that starts at a base.</summary>
    /// <param name="sequenceBase"><c>fnv1a64(name) XOR seed</c>.</param>
    /// <param name="index">The row-major index, from 0.</param>
    /// <returns>64 mixed bits.</returns>
    public static ulong SplitMix64(ulong sequenceBase, long index)
    {
        unchecked
        {
            ulong z = sequenceBase + (((ulong)index + 1) * Golden);
            z = (z ^ (z >> 30)) * FirstMultiplier;
            z = (z ^ (z >> 27)) * SecondMultiplier;
            return z ^ (z >> 31);
        }
    }

    /// <summary>One weight: the definition that the vector code must equal bit for bit.</summary>
    /// <param name="sequenceBase"><c>fnv1a64(name) XOR seed</c>.</param>
    /// <param name="index">The row-major index, from 0.</param>
    /// <param name="offset">The middle of the range.</param>
    /// <param name="scale">Half its width.</param>
    /// <returns>A bfloat16 number as float32.</returns>
    public static float Element(ulong sequenceBase, long index, float offset, float scale)
    {
        float u = (int)(SplitMix64(sequenceBase, index) >> 40) / 16777216f; // 24 bits: exact
        float v = (2 * u) - 1; // exact
        float scaled = v * scale;
        return BFloat16.Round(offset + scaled);
    }

    /// <summary>The input id at a flat position: z mod vocabulary of the sequence named <c>input_ids</c>.</summary>
    /// <param name="seed">The case's seed.</param>
    /// <param name="index">Row times sequence length plus position, from 0.</param>
    /// <param name="vocabularySize">The number of ids.</param>
    /// <returns>0 … vocabularySize − 1.</returns>
    public static int InputId(ulong seed, long index, int vocabularySize)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(vocabularySize, 1);
        return (int)(SplitMix64(Fnv1a64("input_ids") ^ seed, index) % (ulong)vocabularySize);
    }

    /// <summary>Middle and half width of a tensor's values, by its name and last axis.</summary>
    /// <param name="tensor">The tensor.</param>
    /// <returns>Offset and scale, float32.</returns>
    public static (float Offset, float Scale) Distribution(TensorInfo tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        string name = tensor.Name;
        if (name.EndsWith(".mlp.gate.expert_bias", StringComparison.Ordinal))
        {
            return (0, 0.05f);
        }

        if (name.EndsWith(".bias", StringComparison.Ordinal))
        {
            return (0, 0.1f);
        }

        if (name.EndsWith("norm.weight", StringComparison.Ordinal))
        {
            return (1, 0.25f); // input_layernorm, query_layernorm, enorm, hnorm, model.norm …
        }

        if (name == "model.word_embeddings.weight")
        {
            return (0, 1);
        }

        double lastAxis = tensor.Shape.Count == 0 ? 1 : tensor.Shape[^1];
        return (0, (float)(Math.Sqrt(3) / Math.Sqrt(lastAxis))); // variance 1 / lastAxis, as a trained matrix has
    }

    /// <inheritdoc/>
    public bool TryGetTensor(string name, [NotNullWhen(true)] out TensorInfo? tensor)
    {
        tensor = entries.TryGetValue(name, out Entry? entry) ? entry.Tensor : null;
        return tensor is not null;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        // Nothing is held; the interface wants it for sources that keep files open.
    }

    /// <summary>How the numbers of a tensor are made.</summary>
    /// <param name="tensor">A tensor of this source.</param>
    /// <returns>All that a device needs.</returns>
    internal SyntheticSequence SequenceOf(TensorInfo tensor)
    {
        Entry entry = Require(tensor);
        return new SyntheticSequence(entry.SequenceBase, entry.Offset, entry.Scale);
    }

    private Entry Require(TensorInfo tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        return entries.TryGetValue(tensor.Name, out Entry? entry)
            ? entry
            : throw new InvalidInputException(Description, $"tensor \"{tensor.Name}\"", "not in this source");
    }

    /// <summary>A tensor and the three numbers its values follow from.</summary>
    private sealed class Entry
    {
        public Entry(TensorInfo tensor, ulong seed)
        {
            Tensor = tensor;
            SequenceBase = Fnv1a64(tensor.Name) ^ seed;
            ElementCount = tensor.ElementCount;
            (Offset, Scale) = Distribution(tensor);
        }

        public TensorInfo Tensor { get; }

        public ulong SequenceBase { get; }

        public long ElementCount { get; }

        public float Offset { get; }

        public float Scale { get; }
    }
}
