namespace RingFlash.Reference.Configuration;

/// <summary>
/// <c>quantization_config</c>: block FP8 as the published converter writes it. A weight is e4m3 codes with one float32
/// scale per block; the scale, although stored as <c>weight_scale_inv</c>, is multiplied.
/// </summary>
/// <remarks>Which linears are quantised is read from the tensors, not from here.</remarks>
public sealed record QuantizationConfiguration
{
    /// <summary><c>weight_block_size[0]</c>: rows of a block, 128.</summary>
    public int BlockRows { get; init; } = 128;

    /// <summary><c>weight_block_size[1]</c>: columns of a block, 128.</summary>
    public int BlockColumns { get; init; } = 128;

    /// <summary><c>fmt</c>: the code format, <c>e4m3</c>.</summary>
    public string Format { get; init; } = "e4m3";

    /// <summary><c>activation_scheme</c>: <c>dynamic</c>, scales computed per token and 128 channels.</summary>
    public string ActivationScheme { get; init; } = "dynamic";
}
