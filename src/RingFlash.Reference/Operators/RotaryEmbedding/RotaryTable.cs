using System;
using RingFlash.Reference.Configuration;

namespace RingFlash.Reference.Operators;

/// <summary>
/// The cosines and sines of the rotary embedding, default and YaRN. Computed once on the host and handed to every
/// engine as data.
/// </summary>
/// <remarks>
/// <para>Maths: inverseFrequency[i] = 1 / θ^(2i/R); with YaRN mixed with 1 / (s·θ^(2i/R)) by a ramp between the
/// channels that turn β_fast and β_slow times in the original length; angle[p,i] = position · inverseFrequency[i];
/// cos = cos(angle)·attentionScaling, sin likewise. Channel d and d + R/2 share a frequency.</para>
/// <para>Types: the published code computes each step in float32, and the rounding of the one product that makes the
/// angle is part of its behaviour (at position 32 767 an ulp of the angle is 0.002 rad). So: powers with the published
/// bits (<see cref="RotaryPower"/>), every further step in float32 as written, and cos and sin of the float32 angle in
/// float64 rounded once.</para>
/// <para>Bound: inverseFrequency equals the published one bit for bit; cos and sin are within 1 ulp of the published
/// ones, whose float32 sine and cosine are good to 1 ulp themselves (explained ulp by ulp by `verify`).</para>
/// <para>YaRN takes the explicit factor and the explicit original length: three versions of transformers disagree about
/// both. attentionScaling multiplies cos and sin only; the softmax scale is unchanged.</para>
/// <para>Source: huggingface/transformers src/transformers/modeling_rope_utils.py, _compute_default_rope_parameters and
/// _compute_yarn_parameters (4.55/4.56 text); arXiv 2309.00071 section 3.</para>
/// </remarks>
public sealed class RotaryTable
{
    private RotaryTable(float[] inverseFrequencies, double attentionScaling)
    {
        InverseFrequencies = inverseFrequencies;
        AttentionScaling = attentionScaling;
    }

    /// <summary>[R/2], radians per position.</summary>
    public float[] InverseFrequencies { get; }

    /// <summary>The factor on cos and sin: 1 by default.</summary>
    public double AttentionScaling { get; }

    /// <summary>The frequencies for a configuration.</summary>
    /// <param name="rotary">The rotary settings.</param>
    /// <returns>The table.</returns>
    public static RotaryTable For(RotaryConfiguration rotary)
    {
        ArgumentNullException.ThrowIfNull(rotary);
        int pairs = rotary.RotaryDimension / 2;
        float[] powers = new float[pairs];
        for (int i = 0; i < pairs; i++)
        {
            float exponent = (float)(2 * i) / rotary.RotaryDimension;
            powers[i] = RotaryPower.Published((float)rotary.Theta, exponent, i, pairs);
        }

        float[] inverseFrequencies = new float[pairs];
        if (rotary.Scaling == RotaryScalingKind.Default)
        {
            for (int i = 0; i < pairs; i++)
            {
                inverseFrequencies[i] = 1f / powers[i];
            }

            return new RotaryTable(inverseFrequencies, 1.0);
        }

        (double low, double high) = CorrectionRange(rotary);
        for (int i = 0; i < pairs; i++)
        {
            float ramp = (i - (float)low) / (float)(high - low);
            float extrapolationShare = 1f - Math.Clamp(ramp, 0f, 1f);
            float extrapolated = 1f / powers[i];
            float interpolated = 1f / ((float)rotary.Factor * powers[i]);
            inverseFrequencies[i] = (interpolated * (1f - extrapolationShare)) + (extrapolated * extrapolationShare);
        }

        return new RotaryTable(inverseFrequencies, YarnAttentionScaling(rotary));
    }

    /// <summary>Cosines and sines for given positions.</summary>
    /// <param name="positions">[rows], positions from 0, read.</param>
    /// <param name="cosine">[rows, R], float32, written; already scaled.</param>
    /// <param name="sine">[rows, R], float32, written; already scaled.</param>
    public void Fill(ReadOnlySpan<long> positions, Span<float> cosine, Span<float> sine)
    {
        int pairs = InverseFrequencies.Length, width = 2 * pairs;
        float scaling = (float)AttentionScaling;
        for (int row = 0; row < positions.Length; row++)
        {
            for (int i = 0; i < pairs; i++)
            {
                float angle = positions[row] * InverseFrequencies[i];
                (double sin, double cos) = Math.SinCos(angle);
                cosine[(row * width) + i] = cosine[(row * width) + pairs + i] = (float)cos * scaling;
                sine[(row * width) + i] = sine[(row * width) + pairs + i] = (float)sin * scaling;
            }
        }
    }

    private static (double Low, double High) CorrectionRange(RotaryConfiguration rotary)
    {
        int dimension = rotary.RotaryDimension;
        double Channel(double rotations) =>
            dimension * Math.Log(rotary.OriginalMaxPositionEmbeddings!.Value / (rotations * 2 * Math.PI))
            / (2 * Math.Log(rotary.Theta));

        double low = Math.Max(Math.Floor(Channel(rotary.BetaFast)), 0);
        double high = Math.Min(Math.Ceiling(Channel(rotary.BetaSlow)), dimension - 1);
        return (low, low == high ? high + 0.001 : high);
    }

    private static double YarnAttentionScaling(RotaryConfiguration rotary)
    {
        double Mscale(double weight) => rotary.Factor <= 1 ? 1.0 : (0.1 * weight * Math.Log(rotary.Factor)) + 1.0;

        // As published: a given factor wins; mscale counts only when both are given and neither is zero.
        return rotary.AttentionFactor
            ?? (rotary.Mscale is double mscale and not 0 && rotary.MscaleAllDim is double mscaleAllDim and not 0
                ? Mscale(mscale) / Mscale(mscaleAllDim)
                : Mscale(1));
    }
}
