// Red means: requests are lost, held up by others, or go on working after nobody waits for them.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Generation;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Tests.Model;
using Xunit;

namespace RingFlash.Reference.Tests.Generation;

public sealed class QueueTests : IDisposable
{
    private static readonly SamplingOptions Six = SamplingOptions.Greedy with
    {
        MaxTokens = 6, IgnoreEndOfSequence = true,
    };

    private readonly WorkerPool workers = new(1);
    private readonly ModelConfiguration configuration = Engines.Small(("num_hidden_layers", 3));

    public void Dispose() => workers.Dispose();

    [Fact]
    public async Task A_full_queue_says_so_and_takes_all_or_none()
    {
        using ManualResetEventSlim open = new(false);
        WatchedOperators operators = new(workers)
        {
            BeforeAttention = _ => open.Wait(TestContext.Current.CancellationToken),
        };
        GenerationLimits limits = new() { RunningRequests = 2, WaitingRequests = 3 };
        await using GenerationEngine engine =
            Engines.Start(configuration, workers, limits: limits, operators: operators);
        GenerationRequest request = new([1, 2]) { Sampling = Six };
        IReadOnlyList<IAsyncEnumerable<GenerationEvent>> first = engine.TryGenerate([request, request, request])!;
        Assert.Null(engine.TryGenerate([request, request, request]));
        IReadOnlyList<IAsyncEnumerable<GenerationEvent>> second = engine.TryGenerate([request, request])!;
        Assert.Null(engine.TryGenerate([request]));
        Assert.Throws<InvalidOperationException>(() => engine.Generate(request));
        Assert.Equal(5, engine.Load.Running + engine.Load.Waiting);
        open.Set();
        List<GenerationEvent>[] all = await Task.WhenAll(first.Concat(second).Select(Engines.Read));
        Assert.Equal(5, all.Length);
        Assert.All(all, events => Assert.Equal(6, ((GenerationFinished)events[^1]).GeneratedTokens));
        Assert.Equal((0, 0), engine.Load);
        Assert.Equal(6, (await engine.Run(request)).Ids.Length);
    }

    [Fact]
    public async Task Caches_share_their_room()
    {
        // Two sequences of 2 + 6 tokens fit, the third waits until one of them is over.
        GenerationLimits limits = new() { RunningRequests = 3, CacheTokens = 20 };
        int most = 0, now = 0;
        WatchedOperators operators = new(workers);
        await using GenerationEngine engine =
            Engines.Start(configuration, workers, limits: limits, operators: operators);
        operators.BeforeAttention = shape =>
        {
            now = shape.PastTokens == 0 ? engine.Load.Running : now;
            most = Math.Max(most, now);
        };
        Output[] outputs = await engine.Run(
            [.. Enumerable.Range(0, 6).Select(_ => new GenerationRequest([1, 2]) { Sampling = Six })]);
        Assert.Equal(6, outputs.Length);
        Assert.Equal(2, most);
        Assert.Equal(20, engine.ContextLimit);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_abandoned_prompt_stops_before_the_next_layer(bool byToken)
    {
        using CancellationTokenSource cancellation = new();
        using ManualResetEventSlim entered = new(false), left = new(false);
        int calls = 0;
        WatchedOperators operators = new(workers)
        {
            BeforeAttention = _ =>
            {
                if (Interlocked.Increment(ref calls) == 4) // layer 0 of the second chunk
                {
                    entered.Set();
                    left.Wait(TestContext.Current.CancellationToken);
                }
            },
        };
        await using GenerationEngine engine = Engines.Start(
            configuration, workers, limits: new() { PromptTokensPerPass = 50 }, operators: operators);
        GenerationRequest request = new(Engines.Prompt(configuration, 400)) { Sampling = Six };
        IAsyncEnumerator<GenerationEvent> stream =
            engine.Generate(request, cancellation.Token).GetAsyncEnumerator(TestContext.Current.CancellationToken);
        Assert.True(await stream.MoveNextAsync());
        Assert.Equal(new PromptProgress(50, 400), stream.Current);
        entered.Wait(TestContext.Current.CancellationToken);
        if (byToken)
        {
            await cancellation.CancelAsync();
            left.Set();
            OperationCanceledException stopped = await Assert.ThrowsAnyAsync<OperationCanceledException>(
                async () => await stream.MoveNextAsync());
            Assert.Equal(cancellation.Token, stopped.CancellationToken);
        }
        else
        {
            await stream.DisposeAsync();
            left.Set();
        }

        // Another request is served, and nothing more was done for the first.
        Output next = await engine.Run(request with { PromptIds = [5] });
        Assert.Equal(6, next.Ids.Length);
        Assert.Equal(4 + (6 * 3), calls);
    }

    [Fact]
    public async Task Others_in_the_pass_get_the_same_bits_when_it_is_broken_off()
    {
        using CancellationTokenSource cancellation = new();
        GenerationRequest stays = new(Engines.Prompt(configuration, 9)) { Sampling = Six, SpeculativeTokens = 2 };
        Output expected;
        await using (GenerationEngine alone = Engines.Start(configuration, workers))
        {
            expected = await alone.Run(stays);
        }

        int brokenOff = 0;
        WatchedOperators operators = new(workers);
        await using GenerationEngine engine = Engines.Start(configuration, workers, operators: operators);
        operators.BeforeAttention = shape =>
        {
            if (shape.QueryTokens == 100 && Interlocked.Increment(ref brokenOff) == 2)
            {
                cancellation.Cancel(); // in the second layer: one layer's cache has grown already
            }
        };
        Task<Output> staying = engine.Run(stays);
        Task leaving = engine.Run(
            new GenerationRequest(Engines.Prompt(configuration, 100, 6)) { Sampling = Six }, cancellation.Token);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => leaving);
        Output actual = await staying;
        Assert.Equal(2, brokenOff);
        Assert.Equal(expected.Ids, actual.Ids);
        foreach ((float[] left, float[] right) in expected.Logits.Zip(actual.Logits))
        {
            Runs.AssertSameBits("logits", left, right);
        }
    }

    [Fact]
    public async Task Those_who_come_and_go_hold_nobody_up()
    {
        // Every pass is abandoned by a newcomer with most of its rows, as long as newcomers are let in.
        WatchedOperators operators = new(workers);
        GenerationLimits limits = new() { RunningRequests = 2, WaitingRequests = 5 };
        await using GenerationEngine engine =
            Engines.Start(configuration, workers, limits: limits, operators: operators);
        CancellationTokenSource? comer = null;
        List<Task> readers = [];
        void Come()
        {
            comer = new CancellationTokenSource();
            GenerationRequest request = new(Engines.Prompt(configuration, 60)) { Sampling = Six };
            if (engine.TryGenerate([request], comer.Token) is { } streams)
            {
                readers.Add(Engines.Read(streams[0]));
            }
        }

        operators.BeforeAttention = shape =>
        {
            if (shape.QueryTokens == 60)
            {
                CancellationTokenSource gone = comer!;
                Come();
                gone.Cancel();
            }
        };
        Task<Output> staying = engine.Run(new GenerationRequest([1, 2, 3]) { Sampling = Six });
        Come();
        Output output = await staying.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
        operators.BeforeAttention = null;
        Assert.Equal(6, output.Ids.Length);
        Assert.NotEmpty(readers);
    }

    [Fact]
    public async Task Stopping_the_engine_ends_all_streams()
    {
        GenerationEngine engine = Engines.Start(configuration, workers, limits: new() { RunningRequests = 1 });
        GenerationRequest request = new([1]) { Sampling = Six with { MaxTokens = 400 } };
        Task<List<GenerationEvent>>[] readers = [.. engine.TryGenerate([request, request])!.Select(Engines.Read)];
        await engine.DisposeAsync();
        foreach (Task<List<GenerationEvent>> reader in readers)
        {
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reader);
        }

        Assert.Throws<ObjectDisposedException>(() => engine.TryGenerate([request]));
    }

    [Fact]
    public async Task A_failure_reaches_those_in_the_pass_and_the_engine_goes_on()
    {
        WatchedOperators operators = new(workers);
        await using GenerationEngine engine = Engines.Start(configuration, workers, operators: operators);
        operators.BeforeAttention = _ => throw new EnvironmentException("shard 3", "has become shorter");
        GenerationRequest request = new([1, 2]) { Sampling = Six };
        await Assert.ThrowsAsync<EnvironmentException>(() => engine.Run(request));
        operators.BeforeAttention = null;
        Assert.Equal(6, (await engine.Run(request)).Ids.Length);
    }
}
