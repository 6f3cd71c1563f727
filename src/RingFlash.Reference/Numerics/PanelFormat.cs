namespace RingFlash.Reference.Numerics;

/// <summary>How the weights of a panel are stored.</summary>
public enum PanelFormat
{
    /// <summary>Four bytes a weight.</summary>
    Float32,

    /// <summary>Two bytes a weight; for numbers that are bfloat16 numbers.</summary>
    BFloat16,

    /// <summary>One byte a weight: e4m3 codes with a scale per block of 128 × 128.</summary>
    Float8E4M3,
}
