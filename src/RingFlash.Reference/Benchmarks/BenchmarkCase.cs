using System;

namespace RingFlash.Reference.Benchmarks;

/// <summary>One operator at one size, and what it cannot be faster than.</summary>
public sealed record BenchmarkCase
{
    /// <summary>The model.</summary>
    public required string Shape { get; init; }

    /// <summary>The operator.</summary>
    public required string Operator { get; init; }

    /// <summary>What changes between the cases of an operator, e.g. <c>M = 16</c>.</summary>
    public required string Size { get; init; }

    /// <summary>How bytes and operations are counted, with the numbers that all sizes share.</summary>
    public required string Floor { get; init; }

    /// <summary>Bytes that must move between memory and processor, each once.</summary>
    public required double Bytes { get; init; }

    /// <summary>Floating-point operations; a fused multiply-add is two.</summary>
    public required double Operations { get; init; }

    /// <summary>Shape, operator and size on one line.</summary>
    public string Label => $"{Shape} {Operator} {Size}";

    /// <summary>Memory that the case takes, in bytes.</summary>
    public required long Memory { get; init; }

    /// <summary>Names the weights that neighbouring cases share; null for none.</summary>
    internal object? Weights { get; init; }

    /// <summary>Makes the inputs.</summary>
    internal Func<BenchmarkInputs, PreparedCase> Prepare { get; init; } =
        _ => throw new InvalidOperationException("the case says nothing of its inputs");
}

/// <summary>A case with its inputs in memory.</summary>
/// <param name="Run">Runs the vector path once, on the next of several inputs.</param>
/// <param name="Check">Runs both paths on a sample of outputs.</param>
internal sealed record PreparedCase(Action Run, Func<SampledOutputs> Check);

/// <summary>The same outputs from two engines.</summary>
/// <param name="Scalar">From the definition.</param>
/// <param name="Vector512">From the path that is to be timed.</param>
internal sealed record SampledOutputs(float[] Scalar, float[] Vector512)
{
    /// <summary>Compares bits.</summary>
    /// <returns>Null when all are the same; otherwise what is wrong, in one line.</returns>
    public string? Difference()
    {
        if (Scalar.Length == 0 || Scalar.Length != Vector512.Length)
        {
            return $"{Scalar.Length} scalar outputs against {Vector512.Length}: nothing can be compared";
        }

        for (int index = 0; index < Scalar.Length; index++)
        {
            if (BitConverter.SingleToInt32Bits(Scalar[index]) != BitConverter.SingleToInt32Bits(Vector512[index]))
            {
                return FormattableString.Invariant(
                    $"sampled output {index} of {Scalar.Length} is {Vector512[index]:G9}, scalar {Scalar[index]:G9}");
            }
        }

        return null;
    }
}
