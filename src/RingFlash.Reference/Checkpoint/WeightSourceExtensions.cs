using System;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Checkpoint;

/// <summary>What every source can do with <see cref="IWeightSource"/> alone.</summary>
public static class WeightSourceExtensions
{
    /// <summary>Finds a tensor that must be there.</summary>
    /// <param name="source">The source.</param>
    /// <param name="name">The full checkpoint name.</param>
    /// <returns>The tensor.</returns>
    /// <exception cref="InvalidInputException">The source lacks it.</exception>
    public static TensorInfo RequireTensor(this IWeightSource source, string name)
    {
        ArgumentNullException.ThrowIfNull(source);
        return source.TryGetTensor(name, out TensorInfo? tensor)
            ? tensor
            : throw new InvalidInputException(source.Description, $"tensor \"{name}\"", "is missing");
    }

    /// <summary>Reads a whole tensor that must be there: a norm's weight, a bias.</summary>
    /// <param name="source">The source.</param>
    /// <param name="name">The full checkpoint name.</param>
    /// <returns>[elements], float32, row-major.</returns>
    /// <exception cref="InvalidInputException">The source lacks it, or it fits no array.</exception>
    public static float[] ReadVector(this IWeightSource source, string name)
    {
        TensorInfo tensor = source.RequireTensor(name);
        long elements = tensor.ElementCount;
        if (elements > Array.MaxLength)
        {
            throw new InvalidInputException(
                source.Description,
                $"tensor \"{name}\"",
                $"{elements} elements fit no array, the limit is {Array.MaxLength}");
        }

        float[] values = new float[elements];
        source.Read(tensor, 0, values);
        return values;
    }

    /// <summary>
    /// Counts NaN and infinity in a tensor. Such weights are read as they are; whoever reports on a model warns of them
    /// with this number.
    /// </summary>
    /// <param name="source">The source.</param>
    /// <param name="tensor">A tensor of the source.</param>
    /// <returns>The number of elements that are not finite.</returns>
    public static long CountNonFinite(this IWeightSource source, TensorInfo tensor)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(tensor);
        float[] buffer = new float[1 << 16];
        long elements = tensor.ElementCount;
        long count = 0;
        for (long first = 0; first < elements; first += buffer.Length)
        {
            Span<float> piece = buffer.AsSpan(0, (int)Math.Min(buffer.Length, elements - first));
            source.Read(tensor, first, piece);
            foreach (float value in piece)
            {
                count += float.IsFinite(value) ? 0 : 1;
            }
        }

        return count;
    }
}
