// Red here: rotary frequencies, cosines or sines are not those of the published code.
using System;
using System.Runtime.InteropServices;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using RingFlash.Reference.Tests.Numerics;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

public sealed class RotaryTableGolden
{
    private const string Golden = "yarn-tables";

    private static readonly RotaryConfiguration Default = new() { RotaryDimension = 64, Theta = 600_000 };

    [Fact]
    public void TheDefaultTableIsThePublishedOne() => Compare("default", Default);

    [Fact]
    public void TheYarnTableIsThePublishedOne() => Compare(
        "yarn",
        Default with { Scaling = RotaryScalingKind.Yarn, Factor = 4, OriginalMaxPositionEmbeddings = 32768 });

    private static void Compare(string kind, RotaryConfiguration configuration)
    {
        RotaryTable table = RotaryTable.For(configuration);
        float[] frequencies = GoldenFile.ReadSingles(Golden, kind + ".inv_freq");
        byte[] scaling = GoldenFile.ReadBytes(Golden, kind + ".attention_scaling");
        Assert.Equal(BitConverter.ToDouble(scaling), table.AttentionScaling);
        Assert.Equal(32, frequencies.Length);
        for (int i = 0; i < 32; i++)
        {
            // The page derives 2 from torch's pow, which is one ulp off at i = 2 and right everywhere else.
            long apart = UlpDistance.Between(frequencies[i], table.InverseFrequencies[i]);
            Assert.True(apart <= (i == 2 ? 2 : 0), $"{kind}, frequency {i}: {apart} ulps");
        }

        long[] positions = MemoryMarshal.Cast<byte, long>(GoldenFile.ReadBytes(Golden, "positions")).ToArray();
        float[] cosine = GoldenFile.ReadSingles(Golden, kind + ".cos");
        float[] sine = GoldenFile.ReadSingles(Golden, kind + ".sin");
        float[] ourCosine = new float[cosine.Length], ourSine = new float[sine.Length];
        table.Fill(positions, ourCosine, ourSine);
        int compared = 0;
        for (int index = 0; index < cosine.Length; index++)
        {
            // Where the frequency differs in its last bit, so does the angle, and at position 131 071 that is a turn.
            int i = index % 32;
            if (frequencies[i] == table.InverseFrequencies[i])
            {
                compared++;
                string place = $"{kind}, position {positions[index / 64]}, channel {index % 64}";
                Assert.True(UlpDistance.Between(cosine[index], ourCosine[index]) <= 1, place + ", cos");
                Assert.True(UlpDistance.Between(sine[index], ourSine[index]) <= 1, place + ", sin");
            }
        }

        Assert.True(compared > cosine.Length / 2, $"{kind}: only {compared} of {cosine.Length} angles agree");
    }
}
