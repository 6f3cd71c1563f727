using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Benchmarks;

/// <summary>One cost at several sizes: a time, or a number of bytes.</summary>
internal sealed record GrowthSweep(
    string Cost, string Against, double ExpectedExponent, IReadOnlyList<int> Sizes)
{
    /// <summary>Makes what is timed at a size; what it must give back later goes to the list.</summary>
    public Func<int, List<IDisposable>, PreparedCase>? Prepare { get; init; }

    /// <summary>Counts bytes at a size, where memory is the cost.</summary>
    public Func<int, double>? Bytes { get; init; }
}

/// <summary>What is swept, on a small model with all features of the large one.</summary>
internal static class GrowthSweeps
{
    private const int Prompt = 64;
    private const int Experts = 32;

    /// <summary>All sweeps.</summary>
    /// <param name="options">Whether small sizes are enough.</param>
    /// <param name="inputs">Threads and weights.</param>
    /// <returns>The sweeps.</returns>
    public static IReadOnlyList<GrowthSweep> For(BenchmarkOptions options, BenchmarkInputs inputs)
    {
        BenchmarkShape shape = new("small", Small(options.IsQuick));
        ModelConfiguration small = shape.Configuration;
        int[] Sizes(int first, int doublings) => [.. Enumerable.Range(0, options.IsQuick ? 3 : doublings + 1)
            .Select(doubling => (options.IsQuick ? Math.Max(1, first / 2) : first) << doubling)];
        PreparedCase Single(IEnumerable<BenchmarkCase> cases) => cases.Single().Prepare(inputs);
        ModelSlice Slice(int layers, List<IDisposable> held)
        {
            ModelSlice slice = new(ModelSlice.Cut(small, layers, Experts), inputs.Workers);
            held.Add(slice);
            return slice;
        }

        return
        [
            new("attention, prefill", "tokens", 2, Sizes(256, 4))
            {
                Prepare = (tokens, _) => AttentionCases.Attention(shape, tokens, 0, 1).Prepare(inputs),
            },
            new("projection", "tokens", 1, Sizes(64, 4))
            {
                Prepare = (tokens, _) => ProjectionCases.Projection(
                    shape.Name, "projection", tokens, small.HiddenSize, small.HiddenSize, 1).Prepare(inputs),
            },
            new("attention, decode", "cached tokens", 1, Sizes(4096, 4))
            {
                Prepare = (context, _) => AttentionCases.Attention(shape, 1, context - 1, 1).Prepare(inputs),
            },
            new("experts, one token", "experts chosen", 1, Sizes(2, 4))
            {
                Prepare = (chosen, _) => Single(ProjectionCases.Experts(
                    new("small", small with { ExpertsPerToken = chosen }), [1], 1)),
            },
            new("model, prefill", "layers", 1, Sizes(1, 3))
            {
                Prepare = (layers, held) => ModelCases.Prefill(inputs, Slice(layers, held), Prompt),
            },
            new("model, decode", "layers", 1, Sizes(1, 3))
            {
                Prepare = (layers, held) => ModelCases.Decode(inputs, Slice(layers, held), Prompt),
            },
            new("model, allocated", "tokens", 1, Sizes(64, 3)) { Bytes = tokens => Allocated(small, tokens) },
            new("weights in memory", "layers", 1, Sizes(1, 3))
            {
                Bytes = layers =>
                {
                    using ModelSlice slice = new(ModelSlice.Cut(small, layers, Experts), inputs.Workers);
                    return slice.WeightBytes;
                },
            },
            new("cache in memory", "cached tokens", 1, Sizes(1024, 4))
            {
                Bytes = context =>
                {
                    long before = GC.GetAllocatedBytesForCurrentThread();
                    KeyValueCache<float> cache = new(ModelSlice.Cut(small, 1, Experts), batch: 1, context);

                    // Memory is taken at the first use.
                    GC.KeepAlive((cache.Keys(0).Values, cache.Values(0).Values));
                    return GC.GetAllocatedBytesForCurrentThread() - before;
                },
            },
            new("weights read", "experts hit", 1, Sizes(2, 3))
            {
                Bytes = hit => WeightsRead.By(small, hit, inputs.Workers),
            },
        ];
    }

    private static ModelConfiguration Small(bool isQuick)
    {
        int hidden = isQuick ? 256 : 1024;
        return BuiltInConfigurations.Get("ring-mini-2.0").Configuration with
        {
            HiddenSize = hidden,
            AttentionHeadCount = 8,
            KeyValueHeadCount = 2,
            IntermediateSize = 2 * hidden,
            ExpertIntermediateSize = hidden / 2,
            ExpertCount = Experts,
            FirstDenseLayerCount = 0,
        };
    }

    /// <summary>What a prefill allocates, results of operators included; on one thread, so that all of it is this
    /// thread's.</summary>
    private static double Allocated(ModelConfiguration small, int tokens)
    {
        using WorkerPool alone = new(1);
        using ModelSlice slice = new(ModelSlice.Cut(small, 1, Experts), alone);
        RingFlashModel<float> model = slice.On(ExecutionEngine.Vector512, alone);
        ForwardInput prompt = slice.Tokens(tokens, 1);
        model.Forward(slice.Tokens(1, 1)); // what is allocated once only is not counted
        long before = GC.GetAllocatedBytesForCurrentThread();
        model.Forward(prompt);
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }
}
