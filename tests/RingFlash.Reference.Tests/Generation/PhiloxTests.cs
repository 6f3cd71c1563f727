// Red means: the same seed draws other tokens than it did, here or on another machine.
using System;
using RingFlash.Reference.Generation;
using Xunit;

namespace RingFlash.Reference.Tests.Generation;

public sealed class PhiloxTests
{
    /// <summary>Random123, tests/kat_vectors: counter words, key words, result words.</summary>
    public static TheoryData<uint[], uint[], uint[]> Published => new()
    {
        { [0, 0, 0, 0], [0, 0], [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8] },
        {
            [uint.MaxValue, uint.MaxValue, uint.MaxValue, uint.MaxValue],
            [uint.MaxValue, uint.MaxValue],
            [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]
        },
        {
            [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
            [0xa4093822, 0x299f31d0],
            [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1]
        },
    };

    [Theory]
    [MemberData(nameof(Published))]
    public void The_published_vectors_come_out(uint[] counter, uint[] key, uint[] expected) =>
        Assert.Equal(Words(expected), Philox.Block(Words(counter), (ulong)Words(key)));

    [Fact]
    public void A_number_is_the_upper_bits_of_the_first_two_words()
    {
        Assert.Equal(0xe169c58d6627e8d5 >> 11, Philox.Uniform(0, 0, DrawPurpose.Token) * Math.Pow(2, 53));
        Assert.Equal(
            (double)((ulong)Philox.Block(Words([7, 0, 2, 0]), 9) >> 11) / Math.Pow(2, 53),
            Philox.Uniform(9, 7, DrawPurpose.Draft));
    }

    [Fact]
    public void Seeds_positions_and_purposes_give_other_numbers()
    {
        double number = Philox.Uniform(1, 2, DrawPurpose.Token);
        Assert.Equal(number, Philox.Uniform(1, 2, DrawPurpose.Token));
        Assert.NotEqual(number, Philox.Uniform(2, 2, DrawPurpose.Token));
        Assert.NotEqual(number, Philox.Uniform(1, 1, DrawPurpose.Token));
        Assert.NotEqual(number, Philox.Uniform(1, 2, DrawPurpose.Acceptance));
        Assert.NotEqual(
            Philox.Uniform(1UL << 40, 2, DrawPurpose.Token), Philox.Uniform(0, 2, DrawPurpose.Token));
    }

    private static UInt128 Words(uint[] words)
    {
        UInt128 value = 0;
        for (int word = words.Length - 1; word >= 0; word--)
        {
            value = (value << 32) | words[word];
        }

        return value;
    }
}
