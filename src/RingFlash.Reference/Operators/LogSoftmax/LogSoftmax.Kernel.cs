using System;
using ILGPU;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <content>
/// <para>Two steps, with the bits of <see cref="Scalar"/>: per row the maximum m and the sum S of the shifted
/// exponentials (<see cref="LaunchNormaliser"/>), and then what is made of them, element by element. The gradient of
/// the log-probabilities reuses m and S, so the forward pass leaves them in the device's memory.</para>
/// <para>Of the first step there are two kernels. In the naive one a thread owns a row and walks it stripe by stripe.
/// In the fast one a warp owns a row and lane s the stripe s, so the warp adds 128 bytes side by side at a time, four
/// such lines at once under way, and the halving tree is five shuffles. The maximum has no order and is taken with
/// loads of 16 bytes. The row is read twice: m must be known before the first exponential. A stripe is one chain, so
/// one row alone takes as long as its chain; the kernel is for many rows.</para>
/// <para>A temperature T is applied here: z = x / T. The largest z is the largest x over T, as rounding keeps
/// order.</para>
/// </content>
public static partial class LogSoftmax
{
    private const int Step = 4 * StripeSums.Count;

    /// <summary>Log-probabilities of rows, on a device.</summary>
    /// <param name="host">The device.</param>
    /// <param name="logits">[rows, vocabulary], float32, read.</param>
    /// <param name="maxima">[rows], float32, written: m.</param>
    /// <param name="sums">[rows], float32, written: S, e to the power of L.</param>
    /// <param name="logProbabilities">[rows, vocabulary], float32, written; may be logits.</param>
    public static void Launch(
        KernelHost host,
        ArrayView<float> logits,
        ArrayView<float> maxima,
        ArrayView<float> sums,
        ArrayView<float> logProbabilities)
    {
        ArgumentNullException.ThrowIfNull(host);
        LaunchNormaliser(host, logits, 1f, maxima, sums);
        int rows = maxima.IntLength;
        if (rows > 0)
        {
            int vocabulary = (int)(logits.Length / rows);
            LaunchGrid grid = host.GridFor(vocabulary) with { Y = Math.Min(rows, host.MostGroups) };
            host.Launch(Kernel, grid, new KernelArguments(logits, maxima, sums, logProbabilities, rows, vocabulary));
        }
    }

    /// <summary>m and S of rows at a temperature, on a device.</summary>
    /// <param name="host">The device.</param>
    /// <param name="logits">[rows, vocabulary], float32, read.</param>
    /// <param name="temperature">T, finite and above 0.</param>
    /// <param name="maxima">[rows], float32, written: the largest z.</param>
    /// <param name="sums">[rows], float32, written: Σ exp(z − m).</param>
    public static void LaunchNormaliser(
        KernelHost host, ArrayView<float> logits, float temperature, ArrayView<float> maxima, ArrayView<float> sums)
    {
        ArgumentNullException.ThrowIfNull(host);
        int rows = maxima.IntLength;
        if (rows == 0)
        {
            return;
        }

        NormaliserArguments arguments = new(logits, maxima, sums, rows, (int)(logits.Length / rows), temperature);
        if (host.PrefersFast && arguments.Vocabulary % 4 == 0)
        {
            host.Launch(FastNormaliserKernel, host.GridFor((long)rows * KernelHost.Lanes), arguments);
        }
        else
        {
            host.Launch(NaiveNormaliserKernel, host.GridFor(rows), arguments);
        }
    }

    /// <summary>A thread per element: (x − m) − L.</summary>
    /// <param name="a">The arguments.</param>
    [Kernel(VectorLoads = 0)]
    internal static void Kernel(KernelArguments a)
    {
        for (int row = Grid.IdxY; row < a.Rows; row += Grid.DimY)
        {
            float maximum = a.Maxima[row], logSum = Logarithm.Log(a.Sums[row]);
            long start = (long)row * a.Vocabulary;
            for (int v = DeviceThread.Index; v < a.Vocabulary; v += DeviceThread.Count)
            {
                a.LogProbabilities[start + v] = a.Logits[start + v] - maximum - logSum;
            }
        }
    }

    /// <summary>A thread per row.</summary>
    /// <param name="a">The arguments.</param>
    [Kernel(LocalMemory = true, VectorLoads = 0)]
    internal static void NaiveNormaliserKernel(NormaliserArguments a)
    {
        ArrayView<float> stripes = LocalMemory.Allocate<float>(StripeSums.Count);
        for (int row = DeviceThread.Index; row < a.Rows; row += DeviceThread.Count)
        {
            long start = (long)row * a.Vocabulary;
            float maximum = float.NegativeInfinity;
            for (int v = 0; v < a.Vocabulary; v++)
            {
                maximum = StripeSums.Larger(Scaled(a.Logits[start + v], a.Temperature), maximum);
            }

            for (int s = 0; s < StripeSums.Count; s++)
            {
                float sum = 0f;
                for (int v = s; v < a.Vocabulary; v += StripeSums.Count)
                {
                    sum += Exponential.Exp(Scaled(a.Logits[start + v], a.Temperature) - maximum);
                }

                stripes[s] = sum;
            }

            a.Maxima[row] = maximum;
            a.Sums[row] = StripeSums.Halve(stripes);
        }
    }

    /// <summary>A warp per row.</summary>
    /// <param name="a">The arguments; the vocabulary is a multiple of 4.</param>
    [Kernel(VectorLoads = 1)]
    internal static void FastNormaliserKernel(NormaliserArguments a)
    {
        for (int row = DeviceThread.Warp; row < a.Rows; row += DeviceThread.WarpCount)
        {
            long start = (long)row * a.Vocabulary;
            float maximum = float.NegativeInfinity;
            for (int v = 4 * Group.IdxX; v < a.Vocabulary; v += Step)
            {
                Float4 x = DeviceIntrinsics.Load(ref a.Logits[start + v]);
                maximum = StripeSums.Larger(x.X, maximum);
                maximum = StripeSums.Larger(x.Y, maximum);
                maximum = StripeSums.Larger(x.Z, maximum);
                maximum = StripeSums.Larger(x.W, maximum);
            }

            maximum = Scaled(StripeSums.MaximumAcrossLanes(maximum), a.Temperature);
            float sum = 0f;
            int next = Group.IdxX;
            for (; next + (3 * StripeSums.Count) < a.Vocabulary; next += Step)
            {
                long at = start + next;
                float x0 = a.Logits[at], x1 = a.Logits[at + 32], x2 = a.Logits[at + 64], x3 = a.Logits[at + 96];
                sum += Exponential.Exp(Scaled(x0, a.Temperature) - maximum);
                sum += Exponential.Exp(Scaled(x1, a.Temperature) - maximum);
                sum += Exponential.Exp(Scaled(x2, a.Temperature) - maximum);
                sum += Exponential.Exp(Scaled(x3, a.Temperature) - maximum);
            }

            for (; next < a.Vocabulary; next += StripeSums.Count)
            {
                sum += Exponential.Exp(Scaled(a.Logits[start + next], a.Temperature) - maximum);
            }

            sum = StripeSums.HalveAcrossLanes(sum);
            if (Group.IdxX == 0)
            {
                a.Maxima[row] = maximum;
                a.Sums[row] = sum;
            }
        }
    }

    /// <summary>z = x / T, which is x for T = 1.</summary>
    /// <param name="logit">x.</param>
    /// <param name="temperature">T.</param>
    /// <returns>z.</returns>
    internal static float Scaled(float logit, float temperature) =>
        temperature == 1f ? logit : logit / temperature;

    /// <summary>What the element-wise kernel works on.</summary>
    /// <param name="Logits">[rows, vocabulary].</param>
    /// <param name="Maxima">[rows].</param>
    /// <param name="Sums">[rows].</param>
    /// <param name="LogProbabilities">[rows, vocabulary], written; may be Logits.</param>
    /// <param name="Rows">The rows.</param>
    /// <param name="Vocabulary">The width of a row.</param>
    internal readonly record struct KernelArguments(
        ArrayView<float> Logits,
        ArrayView<float> Maxima,
        ArrayView<float> Sums,
        ArrayView<float> LogProbabilities,
        int Rows,
        int Vocabulary);

    /// <summary>What the kernels of the first step work on.</summary>
    /// <param name="Logits">[rows, vocabulary].</param>
    /// <param name="Maxima">[rows], written.</param>
    /// <param name="Sums">[rows], written.</param>
    /// <param name="Rows">The rows.</param>
    /// <param name="Vocabulary">The width of a row.</param>
    /// <param name="Temperature">T.</param>
    internal readonly record struct NormaliserArguments(
        ArrayView<float> Logits,
        ArrayView<float> Maxima,
        ArrayView<float> Sums,
        int Rows,
        int Vocabulary,
        float Temperature);
}
