// Red here: attention reads a key as a query, or another head's channels.
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

public sealed class QueryKeyValueSplitExamples
{
    [Fact]
    public void AllQueriesThenAllKeysThenAllValues()
    {
        // One sequence of two tokens, two query heads, one key/value head, two channels. Written token.head-channel.
        int[] fused = [011, 012, 021, 022, 051, 052, 091, 092, 111, 112, 121, 122, 151, 152, 191, 192];
        int[] query = new int[8], key = new int[4], value = new int[4];
        QueryKeyValueSplit.Scalar<int>(fused, 1, 2, 1, 2, query, key, value);
        Assert.Equal([011, 012, 111, 112, 021, 022, 121, 122], query); // head 0: token 0, token 1; then head 1
        Assert.Equal([051, 052, 151, 152], key);
        Assert.Equal([091, 092, 191, 192], value);
    }

    [Fact]
    public void ItIsNotTheGroupedOrderOfMegatron()
    {
        // Two query heads and two key/value heads of one channel: [q0 q1 k0 k1 v0 v1], not [q0 k0 v0 | q1 k1 v1].
        int[] query = new int[2], key = new int[2], value = new int[2];
        QueryKeyValueSplit.Scalar<int>([1, 2, 3, 4, 5, 6], 1, 2, 2, 1, query, key, value);
        Assert.Equal([1, 2], query);
        Assert.Equal([3, 4], key);
        Assert.Equal([5, 6], value);
    }
}
