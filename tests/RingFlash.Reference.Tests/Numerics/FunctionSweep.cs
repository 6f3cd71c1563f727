// Shared by the tests of exp, log, sigmoid and SiLU; if it were wrong, a bad bit pattern could pass all four.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Runtime.Intrinsics;
using System.Threading;
using RingFlash.Reference.Numerics;
using Xunit;

namespace RingFlash.Reference.Tests.Numerics;

/// <summary>Runs a function of one float32 over many bit patterns, in both forms, against a float64 oracle.</summary>
/// <remarks>
/// The oracle's own error is below 2 float64 ulps, 2^-28 float32 ulps; it cannot hide an error nor invent one at the
/// two digits that are reported.
/// </remarks>
internal sealed class FunctionSweep
{
    /// <summary>Prime, so that a strided sweep meets every pattern of low bits and every exponent.</summary>
    public const uint Stride = 4099;

    private const ulong PatternCount = 1UL << 32;
    private const double Tolerance = 1.0;
    private const int MaxReported = 5;

    private readonly Func<float, float> scalar;
    private readonly Func<Vector512<float>, Vector512<float>> vector;
    private readonly Func<double, double> exact;
    private readonly List<string> failures = [];
    private readonly Lock gate = new();
    private double worst;
    private float worstArgument;
    private long tested;

    public FunctionSweep(
        Func<float, float> scalar, Func<Vector512<float>, Vector512<float>> vector, Func<double, double> exact)
    {
        this.scalar = scalar;
        this.vector = vector;
        this.exact = exact;
    }

    /// <summary>About a million patterns on this thread.</summary>
    public void RunStrided()
    {
        RunRange(0, PatternCount, Stride);
        Assert.True(tested > (long)(PatternCount / Stride), $"only {tested} patterns were tested");
        Report();
    }

    /// <summary>Every pattern, on two threads.</summary>
    public void RunExhaustive()
    {
        Thread second = new(() => RunRange(PatternCount / 2, PatternCount, 1)) { IsBackground = true };
        second.Start();
        RunRange(0, PatternCount / 2, 1);
        second.Join();
        Assert.Equal((long)PatternCount, tested);
        Report();
    }

    private void Report()
    {
        string summary = string.Create(
            CultureInfo.InvariantCulture,
            $"{tested} patterns, largest error {worst:F4} ulp at {worstArgument:R} (0x{BitConverter.SingleToUInt32Bits(worstArgument):X8})");
        TestContext.Current.TestOutputHelper!.WriteLine(summary);
        Assert.True(failures.Count == 0, summary + "\n" + string.Join("\n", failures));
    }

    private void RunRange(ulong first, ulong end, uint stride)
    {
        double localWorst = 0.0;
        float localWorstArgument = 0f;
        long localTested = 0;
        Span<float> arguments = stackalloc float[16];
        for (ulong start = first; start < end; start += 16UL * stride)
        {
            for (uint lane = 0; lane < 16; lane++)
            {
                arguments[(int)lane] = BitConverter.UInt32BitsToSingle((uint)(start + ((ulong)lane * stride)));
            }

            Vector512<float> results = vector(Vector512.Create<float>(arguments));
            for (int lane = 0; lane < 16; lane++)
            {
                float argument = arguments[lane];
                float result = scalar(argument);
                float other = results.GetElement(lane);
                double error = UlpDistance.UlpError(result, exact(argument));
                localTested++;
                if (error > localWorst)
                {
                    localWorst = error;
                    localWorstArgument = argument;
                }

                bool sameBits = BitConverter.SingleToUInt32Bits(result) == BitConverter.SingleToUInt32Bits(other);
                if (!sameBits || !(error <= Tolerance))
                {
                    Fail(argument, result, other, error);
                }
            }
        }

        lock (gate)
        {
            tested += localTested;
            if (localWorst > worst)
            {
                worst = localWorst;
                worstArgument = localWorstArgument;
            }
        }
    }

    private void Fail(float argument, float result, float other, double error)
    {
        lock (gate)
        {
            if (failures.Count < MaxReported)
            {
                failures.Add(string.Create(
                    CultureInfo.InvariantCulture,
                    $"x = {argument:R} (0x{BitConverter.SingleToUInt32Bits(argument):X8}): scalar {result:R}, vector {other:R}, oracle {exact(argument):R}, error {error:F3} ulp"));
            }
        }
    }
}
