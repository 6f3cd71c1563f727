using System;
using ILGPU;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <content>
/// <para>Forward: the two numbers of <see cref="LogSoftmax.LaunchNormaliser"/> and one logit per row. Backward: they
/// are still there, so the gradient is one pass, in place if wanted: a thread takes four neighbouring elements (16
/// bytes in, 16 bytes out) and computes their exponentials a second time, which costs less than storing them in
/// between. The naive kernel does the same one element at a time and serves widths that are no multiple of 4.</para>
/// <para>A kernel cannot throw: a token outside the vocabulary gets NaN, and its row no entry of its own in the
/// gradient.</para>
/// </content>
public static partial class TokenLogProbability
{
    /// <summary>Picks log-probabilities on a device.</summary>
    /// <param name="host">The device.</param>
    /// <param name="logits">[tokens, vocabulary], float32, read.</param>
    /// <param name="tokens">[tokens], read.</param>
    /// <param name="temperature">T, finite and above 0.</param>
    /// <param name="maxima">[tokens], float32, written: for <see cref="LaunchBackward"/>.</param>
    /// <param name="sums">[tokens], float32, written: likewise.</param>
    /// <param name="y">[tokens], float32, written.</param>
    public static void Launch(
        KernelHost host,
        ArrayView<float> logits,
        ArrayView<long> tokens,
        float temperature,
        ArrayView<float> maxima,
        ArrayView<float> sums,
        ArrayView<float> y)
    {
        ArgumentNullException.ThrowIfNull(host);
        RequireTemperature(temperature);
        LogSoftmax.LaunchNormaliser(host, logits, temperature, maxima, sums);
        int rows = tokens.IntLength;
        if (rows > 0)
        {
            host.Launch(
                Kernel,
                host.GridFor(rows),
                new KernelArguments(
                    logits, tokens, maxima, sums, y, rows, (int)(logits.Length / rows), temperature));
        }
    }

    /// <summary>The gradient with respect to the logits on a device, from what <see cref="Launch"/> left.</summary>
    /// <param name="host">The device.</param>
    /// <param name="logits">[tokens, vocabulary], float32, read.</param>
    /// <param name="tokens">[tokens], read.</param>
    /// <param name="temperature">T.</param>
    /// <param name="maxima">[tokens], float32, read.</param>
    /// <param name="sums">[tokens], float32, read.</param>
    /// <param name="upstream">[tokens], float32, read; where it is 0 the row is exact zeros.</param>
    /// <param name="gradient">[tokens, vocabulary], float32, written; may be logits.</param>
    public static void LaunchBackward(
        KernelHost host,
        ArrayView<float> logits,
        ArrayView<long> tokens,
        float temperature,
        ArrayView<float> maxima,
        ArrayView<float> sums,
        ArrayView<float> upstream,
        ArrayView<float> gradient)
    {
        ArgumentNullException.ThrowIfNull(host);
        int rows = tokens.IntLength;
        if (rows == 0)
        {
            return;
        }

        int vocabulary = (int)(logits.Length / rows), rowGroups = Math.Min(rows, host.MostGroups);
        if (host.PrefersFast && vocabulary % 4 == 0)
        {
            ArrayView<Float4> from = logits.Cast<Float4>(), to = gradient.Cast<Float4>();
            host.Launch(
                FastBackwardKernel,
                host.GridFor(vocabulary / 4) with { Y = rowGroups },
                new FastBackwardArguments(
                    from, tokens, maxima, sums, upstream, to, rows, vocabulary / 4, temperature));
        }
        else
        {
            host.Launch(
                NaiveBackwardKernel,
                host.GridFor(vocabulary) with { Y = rowGroups },
                new BackwardArguments(
                    logits, tokens, maxima, sums, upstream, gradient, rows, vocabulary, temperature));
        }
    }

    /// <summary>A thread per row.</summary>
    /// <param name="a">The arguments.</param>
    [Kernel(VectorLoads = 0)]
    internal static void Kernel(KernelArguments a)
    {
        for (int row = DeviceThread.Index; row < a.Rows; row += DeviceThread.Count)
        {
            a.Y[row] = Of(a, row);
        }
    }

    /// <summary>The log-probability of a row's token.</summary>
    /// <param name="a">The arguments.</param>
    /// <param name="row">The row.</param>
    /// <returns>Nats; NaN for a token outside the vocabulary.</returns>
    internal static float Of(in KernelArguments a, int row)
    {
        long token = a.Tokens[row];
        if (token < 0 || token >= a.Vocabulary)
        {
            return float.NaN;
        }

        float z = LogSoftmax.Scaled(a.Logits[((long)row * a.Vocabulary) + token], a.Temperature);
        return z - a.Maxima[row] - Logarithm.Log(a.Sums[row]);
    }

    /// <summary>A thread per element.</summary>
    /// <param name="a">The arguments.</param>
    [Kernel(VectorLoads = 0)]
    internal static void NaiveBackwardKernel(BackwardArguments a)
    {
        for (int row = Grid.IdxY; row < a.Rows; row += Grid.DimY)
        {
            RowOfGradient constants = new(a.Maxima[row], a.Sums[row], a.Upstream[row], a.Temperature);
            long start = (long)row * a.Vocabulary, token = a.Tokens[row];
            for (int v = DeviceThread.Index; v < a.Vocabulary; v += DeviceThread.Count)
            {
                a.Gradient[start + v] = Derivative(a.Logits[start + v], v == token, constants);
            }
        }
    }

    /// <summary>A thread per four elements.</summary>
    /// <param name="a">The arguments.</param>
    [Kernel(VectorLoads = 1)]
    internal static void FastBackwardKernel(FastBackwardArguments a)
    {
        for (int row = Grid.IdxY; row < a.Rows; row += Grid.DimY)
        {
            RowOfGradient constants = new(a.Maxima[row], a.Sums[row], a.Upstream[row], a.Temperature);
            long start = (long)row * a.Quads, token = a.Tokens[row];
            for (int quad = DeviceThread.Index; quad < a.Quads; quad += DeviceThread.Count)
            {
                Float4 x = a.Logits[start + quad];
                long before = token - (4L * quad);
                a.Gradient[start + quad] = new Float4(
                    Derivative(x.X, before == 0, constants),
                    Derivative(x.Y, before == 1, constants),
                    Derivative(x.Z, before == 2, constants),
                    Derivative(x.W, before == 3, constants));
            }
        }
    }

    private static float Derivative(float logit, bool own, RowOfGradient row)
    {
        if (row.Upstream == 0f)
        {
            return 0f;
        }

        float probability = Exponential.Exp(LogSoftmax.Scaled(logit, row.Temperature) - row.Maximum) / row.Sum;
        float product = own ? row.Upstream * (1f - probability) : -row.Upstream * probability;
        return LogSoftmax.Scaled(product, row.Temperature);
    }

    /// <summary>What the forward kernel works on.</summary>
    /// <param name="Logits">[rows, vocabulary].</param>
    /// <param name="Tokens">[rows].</param>
    /// <param name="Maxima">[rows].</param>
    /// <param name="Sums">[rows].</param>
    /// <param name="Y">[rows], written.</param>
    /// <param name="Rows">The rows.</param>
    /// <param name="Vocabulary">The width of a row.</param>
    /// <param name="Temperature">T.</param>
    internal readonly record struct KernelArguments(
        ArrayView<float> Logits,
        ArrayView<long> Tokens,
        ArrayView<float> Maxima,
        ArrayView<float> Sums,
        ArrayView<float> Y,
        int Rows,
        int Vocabulary,
        float Temperature);

    /// <summary>What the naive backward kernel works on.</summary>
    /// <param name="Logits">[rows, vocabulary].</param>
    /// <param name="Tokens">[rows].</param>
    /// <param name="Maxima">[rows].</param>
    /// <param name="Sums">[rows].</param>
    /// <param name="Upstream">[rows].</param>
    /// <param name="Gradient">[rows, vocabulary], written; may be Logits.</param>
    /// <param name="Rows">The rows.</param>
    /// <param name="Vocabulary">The width of a row.</param>
    /// <param name="Temperature">T.</param>
    internal readonly record struct BackwardArguments(
        ArrayView<float> Logits,
        ArrayView<long> Tokens,
        ArrayView<float> Maxima,
        ArrayView<float> Sums,
        ArrayView<float> Upstream,
        ArrayView<float> Gradient,
        int Rows,
        int Vocabulary,
        float Temperature);

    /// <summary>The same in quads of elements.</summary>
    /// <param name="Logits">[rows, quads].</param>
    /// <param name="Tokens">[rows].</param>
    /// <param name="Maxima">[rows].</param>
    /// <param name="Sums">[rows].</param>
    /// <param name="Upstream">[rows].</param>
    /// <param name="Gradient">[rows, quads], written; may be Logits.</param>
    /// <param name="Rows">The rows.</param>
    /// <param name="Quads">A quarter of the width of a row.</param>
    /// <param name="Temperature">T.</param>
    internal readonly record struct FastBackwardArguments(
        ArrayView<Float4> Logits,
        ArrayView<long> Tokens,
        ArrayView<float> Maxima,
        ArrayView<float> Sums,
        ArrayView<float> Upstream,
        ArrayView<Float4> Gradient,
        int Rows,
        int Quads,
        float Temperature);

    /// <summary>What the elements of a row share.</summary>
    private readonly record struct RowOfGradient(float Maximum, float Sum, float Upstream, float Temperature);
}
