// Red here: four vectors side by side take another step than one number alone.
using System;
using System.Linq;
using System.Runtime.InteropServices;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Tests.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Numerics;

public sealed class FourVectorsTests
{
    private delegate FourVectors Function(FourVectors x);

    [Fact]
    public void SiluAndExponentialsGiveTheScalarBits() => Compare(fractions: 4096);

    // Two minutes: dotnet test -c Release --filter Category=Exhaustive -- xUnit.Explicit=only
    [Fact(Explicit = true)]
    [Trait("Category", "Exhaustive")]
    public void EveryOrdinaryNumberGivesTheScalarBits() => Compare(fractions: 1 << 23);

    [Fact]
    public void LanesKeepTheirPlaces()
    {
        float[] x = [.. Enumerable.Range(0, 65).Select(lane => lane - 31.5f)], y = new float[65];
        FourVectors lanes = FourVectors.Load(ref MemoryMarshal.GetArrayDataReference(x), 1);
        lanes.Store(ref MemoryMarshal.GetArrayDataReference(y), 1);
        Assert.Equal(x[1..], y[1..]);
        Assert.Equal(0f, y[0]);
        FourVectors.Select(lanes.SignMask(), lanes, -lanes).Store(ref MemoryMarshal.GetArrayDataReference(y), 1);
        Assert.Equal(x[1..].Select(value => -MathF.Abs(value)), y[1..]);
    }

    private static void Compare(int fractions)
    {
        int silus = 0, exponentials = 0;
        float[] x = new float[FourVectors.Count], expected = new float[x.Length];
        for (uint signAndExponent = 0; signAndExponent < 512; signAndExponent++)
        {
            for (int first = 0; first < fractions; first += x.Length)
            {
                for (int lane = 0; lane < x.Length; lane++)
                {
                    // Multiplied by an odd number a running number meets every fraction once.
                    uint fraction = ((uint)(first + lane) * 0x9E3779B1u) & 0x7FFFFF;
                    x[lane] = BitConverter.UInt32BitsToSingle((signAndExponent << 23) | fraction);
                }

                FourVectors lanes = FourVectors.Load(ref MemoryMarshal.GetArrayDataReference(x), 0);
                if (Sigmoid.IsPlain(lanes))
                {
                    silus++;
                    Same(x, Silu.Apply, Silu.ApplyToPlain(lanes), expected);
                }

                if (Exponential.IsInNormalRange(lanes))
                {
                    exponentials++;
                    Same(x, Exponential.Exp, Exponential.ExpInNormalRange(lanes), expected);
                }
            }
        }

        // Exponents up to 2^5 are ordinary throughout, 2^6 in part.
        Assert.True(silus >= 2 * 133 * (fractions / x.Length), $"{silus} times 64 numbers were compared");
        Assert.True(exponentials >= silus, $"{exponentials} times 64 numbers were compared");
    }

    private static void Same(float[] x, Func<float, float> scalar, FourVectors lanes, float[] expected)
    {
        float[] actual = new float[x.Length];
        lanes.Store(ref MemoryMarshal.GetArrayDataReference(actual), 0);
        for (int lane = 0; lane < x.Length; lane++)
        {
            expected[lane] = scalar(x[lane]);
        }

        Check.SameBits(expected, actual, $"from {x[0]:R}");
    }
}
