// Shared by the generation tests. Red here: the engine refuses, or never finishes, a small legal request.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Generation;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Tests.Model;

namespace RingFlash.Reference.Tests.Generation;

/// <summary>An output with everything that was said about it.</summary>
/// <param name="Ids">The generated tokens.</param>
/// <param name="Logits">The logits that each was chosen by.</param>
/// <param name="Events">All events.</param>
internal sealed record Output(int[] Ids, float[][] Logits, IReadOnlyList<GenerationEvent> Events)
{
    public GenerationFinished End => (GenerationFinished)Events[^1];
}

internal static class Engines
{
    /// <summary>A model of some thousand weights: hundreds of them are made and run in seconds.</summary>
    public static ModelConfiguration Small(params (string Key, object? Value)[] changes) => TinyModels.Read(
    [
        ("hidden_size", 20), ("num_attention_heads", 2), ("num_key_value_heads", 1), ("head_dim", 8),
        ("intermediate_size", 24), ("moe_intermediate_size", 9), ("vocab_size", 23), ("num_experts", 6),
        ("max_position_embeddings", 512), ("pad_token_id", null), .. changes,
    ]);

    public static GenerationEngine Start(
        ModelConfiguration configuration,
        WorkerPool workers,
        ulong seed = 11,
        GenerationLimits? limits = null,
        Func<double, double, double, bool>? accepts = null,
        ForwardOperators<float>? operators = null) => new(
            configuration,
            TinyModels.Weights(configuration, seed),
            operators ?? new Float32Operators<Float32Precision>(ExecutionEngine.Vector512, workers),
            limits ?? new GenerationLimits())
        {
            Accepts = accepts ?? SpeculativeRule.Accepts,
        };

    public static int[] Prompt(ModelConfiguration configuration, int count, ulong seed = 5) =>
        [.. TinyModels.Ids(configuration, count, seed).Select(id => (int)id)];

    public static async Task<Output> Run(
        this GenerationEngine engine, GenerationRequest request, CancellationToken cancellation = default) =>
        (await engine.Run([request], cancellation))[0];

    public static async Task<Output[]> Run(
        this GenerationEngine engine,
        IReadOnlyList<GenerationRequest> requests,
        CancellationToken cancellation = default)
    {
        List<float[]>[] logits = [.. requests.Select(_ => new List<float[]>())];
        IReadOnlyList<IAsyncEnumerable<GenerationEvent>> streams = engine.TryGenerate(
            [.. requests.Select((request, index) => request with
            {
                LogitsSeen = (_, row) => logits[index].Add(row.ToArray()),
            })],
            cancellation) ?? throw new InvalidOperationException("the queue is full");
        Task<List<GenerationEvent>>[] readers = [.. streams.Select(Read)];
        List<GenerationEvent>[] events = await Task.WhenAll(readers);
        return [.. events.Select((all, index) => new Output(
            [.. all.OfType<TokenGenerated>().Select(token => token.Id)], [.. logits[index]], all))];
    }

    public static async Task<List<GenerationEvent>> Read(IAsyncEnumerable<GenerationEvent> stream)
    {
        List<GenerationEvent> events = [];
        await foreach (GenerationEvent happened in stream)
        {
            events.Add(happened);
        }

        return events;
    }
}
