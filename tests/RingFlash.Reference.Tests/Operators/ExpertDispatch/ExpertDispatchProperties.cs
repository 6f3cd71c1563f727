// Red here: an assignment is dropped, doubled or given to another expert.
using System;
using FsCheck.Xunit;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

[Properties(Replay = "(20250917,20250919)", MaxTest = 100)]
public sealed class ExpertDispatchProperties
{
    [Property]
    public void EveryAssignmentIsOwnedOnceByItsExpertInAscendingOrder(int seed, byte count, byte slots, byte total)
    {
        int topK = 1 + (slots % 8), experts = topK + (total % 60);
        int[] indices = new int[count * topK];
        Random random = new(seed);
        for (int i = 0; i < indices.Length; i++)
        {
            indices[i] = random.Next(experts);
        }

        ExpertDispatch dispatch = ExpertDispatch.Group(indices, topK, experts);
        int next = 0, previousExpert = -1;
        bool[] seen = new bool[indices.Length];
        for (int active = 0; active < dispatch.ActiveExperts.Length; active++)
        {
            int expert = dispatch.ActiveExperts[active];
            Assert.True(expert > previousExpert, "active experts ascend");
            previousExpert = expert;
            Assert.Equal(next, dispatch.Offsets[active]);
            next = dispatch.Offsets[active + 1];
            Assert.True(next > dispatch.Offsets[active], "an active expert has a token");
            int previousRow = -1;
            foreach (int row in dispatch.Rows[dispatch.Offsets[active]..next])
            {
                Assert.Equal(expert, indices[row]);
                Assert.True(row > previousRow, "assignments ascend inside an expert");
                Assert.False(seen[row]);
                (previousRow, seen[row]) = (row, true);
            }
        }

        Assert.Equal(indices.Length, next);
        Assert.DoesNotContain(false, seen);
    }
}
