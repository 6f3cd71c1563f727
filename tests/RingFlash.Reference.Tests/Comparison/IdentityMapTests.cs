// Red means: a candidate that is the golden case itself does not come back as it is, or is taken for something else.
using System.Linq;
using RingFlash.Reference.Comparison;
using RingFlash.Reference.Numerics;
using Xunit;

namespace RingFlash.Reference.Tests.Comparison;

public sealed class IdentityMapTests
{
    [Theory]
    [InlineData("tiny-f32")]
    [InlineData("tiny-padded-f32")]
    [InlineData("tiny-bf16")]
    public void A_golden_case_is_its_own_candidate(string name)
    {
        GoldenTaps golden = new(name);
        Candidate candidate = new CandidateReader(golden.Configuration, golden.Input).Read(
            golden.Dump(), CandidateReader.FindMap("ringflash"));
        golden.AssertSame(candidate, golden.Names);
        Assert.Empty(candidate.Unmapped);
        CandidateTap ids = candidate.Inputs["input_ids"];
        Assert.Equal(
            golden.Integers["input_ids"].Where((_, row) => ids.Rows?.Contains(row) ?? true), ids.ReadInt64());
        Assert.Equal(golden.Integers["attention_mask"].Sum(), ids.ReadInt64().Length);
    }

    [Fact]
    public void The_map_is_chosen_by_the_names_and_said()
    {
        GoldenTaps golden = new("tiny-f32");
        Candidate candidate = new CandidateReader(golden.Configuration, golden.Input).Read(golden.Dump());
        golden.AssertSame(candidate, golden.Names);
        Assert.Contains(candidate.Notes, note => note.StartsWith(
            "names read by the map ringflash, which knows", System.StringComparison.Ordinal));
    }

    [Fact]
    public void Names_of_nobody_are_listed_and_are_no_candidate()
    {
        GoldenTaps golden = new("tiny-f32");
        MemoryDump dump = new MemoryDump().Add("x", new float[3], 3).Add("y", new float[3], 3);
        Candidate candidate = new CandidateReader(golden.Configuration, golden.Input).Read(dump);
        Assert.Empty(candidate.Taps);
        Assert.Equal(["x", "y"], candidate.Unmapped);
        Assert.Contains(candidate.Notes, note => note.Contains("no shipped map", System.StringComparison.Ordinal));
    }

    [Fact]
    public void Two_tensors_of_one_name_are_both_left_out()
    {
        GoldenTaps golden = new("tiny-f32");
        MemoryDump dump = golden.Dump();
        golden.AddTo(dump, "model.norm.output", "model.norm.output");
        Candidate candidate = new CandidateReader(golden.Configuration, golden.Input).Read(dump);
        Assert.DoesNotContain("model.norm.output", candidate.Taps.Keys);
        string line = Assert.Single(candidate.Doubles);
        Assert.StartsWith("model.norm.output: ", line, System.StringComparison.Ordinal);
        Assert.Equal(golden.Names.Count() - 1, candidate.Taps.Count);
    }

    [Theory]
    [InlineData(-1, "one is missing")]
    [InlineData(1, "one is too many")]
    public void One_token_more_or_less_is_refused_with_a_hint(int difference, string hint)
    {
        GoldenTaps golden = new("tiny-f32");
        int tokens = golden.Tokens + difference;
        MemoryDump dump = new MemoryDump().Add(
            "model.norm.output", new float[golden.Batch * tokens * 64], golden.Batch, tokens, 64);
        InvalidInputException refusal = Assert.Throws<InvalidInputException>(
            () => new CandidateReader(golden.Configuration, golden.Input).Read(dump));
        Assert.Contains(hint, refusal.Message, System.StringComparison.Ordinal);
    }

    [Fact]
    public void Another_batch_is_refused_and_not_broadcast()
    {
        GoldenTaps golden = new("tiny-f32");
        MemoryDump dump = new MemoryDump().Add(
            "model.norm.output", new float[golden.Tokens * 64], 1, golden.Tokens, 64);
        InvalidInputException refusal = Assert.Throws<InvalidInputException>(
            () => new CandidateReader(golden.Configuration, golden.Input).Read(dump));
        Assert.Contains("a batch of 1 where the reference has 2", refusal.Message, System.StringComparison.Ordinal);
    }
}
