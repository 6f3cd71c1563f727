// Red here: tokens are sent to experts that the router did not choose.
using System;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

public sealed class ExpertDispatchExamples
{
    [Fact]
    public void AssignmentsAreSortedByExpertAndKeepTheirOrderInside()
    {
        // Token 0 → 4, 1; token 1 → 1, 6; token 2 → 4, 0. Assignments 0 … 5 by expert: 0: {5}; 1: {1, 2}; 4: {0, 4}; 6:
        // {3}.
        ExpertDispatch dispatch = ExpertDispatch.Group([4, 1, 1, 6, 4, 0], topK: 2, experts: 8);
        Assert.Equal(2, dispatch.TopK);
        Assert.Equal([0, 1, 4, 6], dispatch.ActiveExperts);
        Assert.Equal([0, 1, 3, 5, 6], dispatch.Offsets);
        Assert.Equal([5, 1, 2, 0, 4, 3], dispatch.Rows);
    }

    [Fact]
    public void NoTokensAndOneExpertForAll()
    {
        ExpertDispatch none = ExpertDispatch.Group([], topK: 2, experts: 8);
        Assert.True(none.Rows.IsEmpty);
        Assert.True(none.ActiveExperts.IsEmpty);
        Assert.Equal([0], none.Offsets);
        ExpertDispatch one = ExpertDispatch.Group([7, 7, 7], topK: 1, experts: 8);
        Assert.Equal([7], one.ActiveExperts);
        Assert.Equal([0, 3], one.Offsets);
        Assert.Equal([0, 1, 2], one.Rows);
    }

    [Fact]
    public void RegroupingForgetsWhatWas()
    {
        ExpertDispatch dispatch = ExpertDispatch.Group([4, 1, 1, 6, 4, 0], topK: 2, experts: 8);
        dispatch.Regroup([2, 1, 1], topK: 1, experts: 3);
        Assert.Equal(1, dispatch.TopK);
        Assert.Equal([1, 2], dispatch.ActiveExperts);
        Assert.Equal([0, 2, 3], dispatch.Offsets);
        Assert.Equal([1, 2, 0], dispatch.Rows);
        Assert.Equal([1, 2], dispatch.RowsOf(0));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(8)]
    public void AnExpertThatDoesNotExistIsRefused(int expert) => Assert.Throws<ArgumentOutOfRangeException>(
        () => ExpertDispatch.Group([0, expert], topK: 2, experts: 8));
}
