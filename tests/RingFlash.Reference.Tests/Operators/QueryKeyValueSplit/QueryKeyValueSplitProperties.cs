// Red here: the split loses, repeats or moves a channel for some number of heads, tokens or sequences.
using FsCheck.Xunit;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

[Properties(Replay = "(20250917,20250919)", MaxTest = 60)]
public sealed class QueryKeyValueSplitProperties
{
    [Property]
    public void EveryChannelLandsWhereThePageSays(byte sequences, byte tokenCount, byte groups, byte group, byte width)
    {
        int batch = 1 + (sequences % 3), tokens = 1 + (tokenCount % 5), keyValueHeads = 1 + (groups % 4);
        int heads = keyValueHeads * (1 + (group % 8)), headDim = 1 + (width % 20), all = heads + (2 * keyValueHeads);
        int[] fused = new int[batch * tokens * all * headDim];
        for (int i = 0; i < fused.Length; i++)
        {
            fused[i] = i;
        }

        int[] query = new int[batch * tokens * heads * headDim];
        int[] key = new int[batch * tokens * keyValueHeads * headDim], value = new int[key.Length];
        QueryKeyValueSplit.Scalar<int>(fused, batch, heads, keyValueHeads, headDim, query, key, value);
        Matches(query, heads, 0);
        Matches(key, keyValueHeads, heads);
        Matches(value, keyValueHeads, heads + keyValueHeads);

        void Matches(int[] part, int partHeads, int firstHead)
        {
            int index = 0;
            for (int b = 0; b < batch; b++)
            {
                for (int j = 0; j < partHeads; j++)
                {
                    for (int t = 0; t < tokens; t++)
                    {
                        for (int d = 0; d < headDim; d++)
                        {
                            int expected = (((((b * tokens) + t) * all) + firstHead + j) * headDim) + d;
                            Assert.True(part[index++] == expected, $"sequence {b}, head {j}, token {t}, channel {d}");
                        }
                    }
                }
            }
        }
    }
}
