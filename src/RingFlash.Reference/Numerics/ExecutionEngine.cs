using System;

namespace RingFlash.Reference.Numerics;

/// <summary>Who computes. All float32 engines give the same bits; they differ in speed and in where they run.</summary>
public enum ExecutionEngine
{
    /// <summary>Readable loops, one element at a time: the definition.</summary>
    Scalar,

    /// <summary>
    /// The CPU path over <c>Vector512</c>; the same source runs with AVX-512, AVX2 or no intrinsics at all.
    /// </summary>
    Vector512,
}

/// <summary>The words for engines in options and reports.</summary>
public static class ExecutionEngineNames
{
    /// <summary>The word for an engine: <c>scalar</c> or <c>vector512</c>.</summary>
    /// <param name="engine">The engine.</param>
    /// <returns>The word.</returns>
    public static string Word(this ExecutionEngine engine) => engine switch
    {
        ExecutionEngine.Scalar => "scalar",
        ExecutionEngine.Vector512 => "vector512",
        _ => throw new ArgumentOutOfRangeException(nameof(engine)),
    };
}
