// Red means: a decoded token costs more the longer the context, beyond attention over it.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading.Tasks;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Generation;
using RingFlash.Reference.Numerics;
using Xunit;

namespace RingFlash.Reference.Tests.Generation;

public sealed class SteadyDecoding
{
    private const int Tokens = 1500;

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public async Task Rows_and_bytes_per_token_do_not_grow_with_the_context(int drafts)
    {
        ModelConfiguration configuration = Engines.Small(("max_position_embeddings", 4096));
        using WorkerPool workers = new(1);
        WatchedOperators operators = new(workers);
        await using GenerationEngine engine = Engines.Start(configuration, workers, operators: operators);
        List<(Dictionary<string, long> Rows, long Bytes)> after = [];
        GenerationRequest request = new([1, 2, 3])
        {
            Sampling = SamplingOptions.Greedy with { MaxTokens = Tokens, IgnoreEndOfSequence = true },
            SpeculativeTokens = drafts,
            LogitsSeen = (_, _) => after.Add((
                operators.Rows.ToDictionary(), GC.GetAllocatedBytesForCurrentThread())),
        };
        List<GenerationEvent> events = await Engines.Read(engine.Generate(request));
        Assert.Equal(Tokens + 2, events.Count);
        Assert.Equal(Tokens, after.Count);
        foreach (string name in after[0].Rows.Keys)
        {
            double early = PerToken(100, 500, token => token.Rows[name]);
            double late = PerToken(1050, 1450, token => token.Rows[name]);
            double passes = PerToken(1050, 1450, token => token.Rows["CausalAttention"]);
            if (name == "keys")
            {
                Assert.InRange(late - early, 950 * passes / 2, 950 * passes * 2); // each key is looked at
            }
            else
            {
                Assert.InRange(late, 0.5 * early, drafts == 0 ? early : 2 * early);
            }
        }

        // The cache doubles at 67, 134 … 1072 tokens: bytes are compared between two such places.
        long first = Bytes(300, 500), second = Bytes(700, 900), third = Bytes(1200, 1400);
        Assert.InRange(second, 1, first * 3 / 2);
        Assert.InRange(third, 1, first * 3 / 2);

        double PerToken(int start, int end, Func<(Dictionary<string, long> Rows, long Bytes), long> of) =>
            (double)(of(after[end]) - of(after[start])) / (end - start);

        long Bytes(int start, int end) => (after[end].Bytes - after[start].Bytes) / (end - start);
    }
}
