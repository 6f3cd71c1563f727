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
    private const double SmallestNormal = 1.1754943508222875E-38;
    private const int MaxReported = 5;

    private readonly Func<float, float> scalar;
    private readonly Func<Vector512<float>, Vector512<float>> vector;
    private readonly Func<double, double> exact;
    private readonly List<string> failures = [];
    private readonly Lock gate = new();
    private Worst normal;
    private Worst subnormal;
    private long tested;
    private ulong resultChecksum;

    public FunctionSweep(
        Func<float, float> scalar, Func<Vector512<float>, Vector512<float>> vector, Func<double, double> exact)
    {
        this.scalar = scalar;
        this.vector = vector;
        this.exact = exact;
    }

    /// <summary>About a million patterns on this thread.</summary>
    /// <param name="checksum">
    /// Of the bits of all results. No statement about right or wrong: it says that this machine, with the instruction
    /// sets it uses, has the same bits as every other. A deliberate change of a function brings a new one.
    /// </param>
    public void RunStrided(ulong checksum)
    {
        RunRange(0, PatternCount, Stride);
        Assert.True(tested > (long)(PatternCount / Stride), $"only {tested} patterns were tested");
        Report();
        Assert.Equal($"{checksum:X16}", $"{resultChecksum:X16}");
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
        string summary = $"{tested} patterns; normal results: {normal}; subnormal results: {subnormal}";
        TestContext.Current.TestOutputHelper!.WriteLine(summary);
        Assert.True(failures.Count == 0, summary + "\n" + string.Join("\n", failures));
    }

    private void RunRange(ulong first, ulong end, uint stride)
    {
        Worst localNormal = default;
        Worst localSubnormal = default;
        long localTested = 0;
        ulong localChecksum = 14695981039346656037; // FNV-1a over words
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
                double truth = exact(argument);
                double error = UlpDistance.UlpError(result, truth);
                localTested++;
                localChecksum = (localChecksum ^ BitConverter.SingleToUInt32Bits(result)) * 1099511628211;
                if (Math.Abs(truth) < SmallestNormal)
                {
                    localSubnormal.Add(error, argument);
                }
                else
                {
                    localNormal.Add(error, argument);
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
            resultChecksum = localChecksum; // meaningful for a single thread only
            normal.Add(localNormal.Error, localNormal.Argument);
            subnormal.Add(localSubnormal.Error, localSubnormal.Argument);
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
                    $"x = {argument:R} (0x{BitConverter.SingleToUInt32Bits(argument):X8}): scalar {result:R}, ")
                    + string.Create(
                        CultureInfo.InvariantCulture,
                        $"vector {other:R}, oracle {exact(argument):R}, error {error:F3} ulp"));
            }
        }
    }

    /// <summary>The largest error so far and where it was.</summary>
    private struct Worst
    {
        public double Error;
        public float Argument;

        public void Add(double error, float argument)
        {
            if (error > Error)
            {
                (Error, Argument) = (error, argument);
            }
        }

        public override readonly string ToString() => string.Create(
            CultureInfo.InvariantCulture,
            $"{Error:F4} ulp at {Argument:R} (0x{BitConverter.SingleToUInt32Bits(Argument):X8})");
    }
}
