using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Devices;

/// <summary>How the weights of a matrix lie in 32-bit words on a device; a type parameter of the kernels.</summary>
public interface IWeightFormat
{
    /// <summary>The logarithm of the weights in a word: 0, 1 or 2.</summary>
    static abstract int Shift { get; }

    /// <summary>Whether each 128 × 128 block has a scale.</summary>
    static abstract bool HasScales { get; }

    /// <summary>One weight of a word, without its scale.</summary>
    /// <param name="word">The word.</param>
    /// <param name="index">Which, from the lowest bits; only the lowest <see cref="Shift"/> bits count.</param>
    /// <returns>The number.</returns>
    static abstract float Decode(uint word, int index);
}

/// <summary>One float32 in a word.</summary>
public readonly struct Float32Format : IWeightFormat
{
    /// <inheritdoc/>
    public static int Shift => 0;

    /// <inheritdoc/>
    public static bool HasScales => false;

    /// <inheritdoc/>
    public static float Decode(uint word, int index) => DeviceIntrinsics.UInt32BitsToSingle(word);
}

/// <summary>Two bfloat16 in a word.</summary>
public readonly struct BFloat16Format : IWeightFormat
{
    /// <inheritdoc/>
    public static int Shift => 1;

    /// <inheritdoc/>
    public static bool HasScales => false;

    /// <inheritdoc/>
    public static float Decode(uint word, int index) =>
        DeviceIntrinsics.UInt32BitsToSingle((word >> ((index & 1) << 4)) << 16);
}

/// <summary>Four e4m3 codes in a word, scaled by block.</summary>
public readonly struct Float8Format : IWeightFormat
{
    /// <inheritdoc/>
    public static int Shift => 2;

    /// <inheritdoc/>
    public static bool HasScales => true;

    /// <inheritdoc/>
    public static float Decode(uint word, int index) =>
        Float8E4M3.ToSingle((byte)(word >> ((index & 3) << 3)));
}
