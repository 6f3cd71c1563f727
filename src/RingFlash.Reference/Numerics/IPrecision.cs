using System.Runtime.Intrinsics;

namespace RingFlash.Reference.Numerics;

/// <summary>
/// A precision policy as a type parameter: what happens at each rounding point of the published code. Activations are
/// held as float32 everywhere; under <see cref="BFloat16Precision"/> every held value is a bfloat16 number.
/// </summary>
public interface IPrecision
{
    /// <summary>The word for the policy in options and reports.</summary>
    static abstract string Name { get; }

    /// <summary>Unit roundoff: half the spacing of the numbers at 1.</summary>
    static abstract double UnitRoundoff { get; }

    /// <summary>Rounds one value to the storage type.</summary>
    /// <param name="value">A float32 result.</param>
    /// <returns>The nearest number of the storage type, ties to even.</returns>
    static abstract float Round(float value);

    /// <summary>Rounds sixteen values, lane by lane as <see cref="Round(float)"/>.</summary>
    /// <param name="values">Float32 results.</param>
    /// <returns>The rounded lanes.</returns>
    static abstract Vector512<float> Round(Vector512<float> values);
}

/// <summary>
/// The published code run in float32: every operation rounds to float32 anyway, so a rounding point does nothing.
/// </summary>
public readonly struct Float32Precision : IPrecision
{
    /// <inheritdoc/>
    public static string Name => "float32";

    /// <inheritdoc/>
    public static double UnitRoundoff => 1.0 / (1 << 24);

    /// <inheritdoc/>
    public static float Round(float value) => value;

    /// <inheritdoc/>
    public static Vector512<float> Round(Vector512<float> values) => values;
}

/// <summary>
/// The published code run in bfloat16: results are rounded once, to nearest even, at each published point.
/// </summary>
public readonly struct BFloat16Precision : IPrecision
{
    /// <inheritdoc/>
    public static string Name => "bfloat16";

    /// <inheritdoc/>
    public static double UnitRoundoff => 1.0 / (1 << 8);

    /// <inheritdoc/>
    public static float Round(float value) => BFloat16.Round(value);

    /// <inheritdoc/>
    public static Vector512<float> Round(Vector512<float> values) => BFloat16.Round(values);
}
