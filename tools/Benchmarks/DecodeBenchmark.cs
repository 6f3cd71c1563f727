using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.Linq;
using System.Threading.Tasks;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Generation;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Benchmarks;

/// <summary>
/// Decoding through the generation engine with a small model, ever further into the context: what a token costs beyond
/// attention over the tokens before it must stay the same.
/// </summary>
/// <remarks>
/// What is left after attention's own time still grows a little: the keys and values that it reads push the weights out
/// of the processor's caches. So the bar is on a second run, whose attention reads nothing and answers zeros.
/// </remarks>
internal static class DecodeBenchmark
{
    private const int Window = 256, Windows = 16, Rounds = 3;
    private const double Bar = 1.10;

    /// <summary>Runs.</summary>
    /// <returns>0, or 4 when the bar is missed.</returns>
    public static int Run()
    {
        ModelConfiguration configuration = BuiltInConfigurations.Get("ring-mini-2.0").Configuration with
        {
            DeclaredLayerCount = 4,
            HiddenSize = 256,
            AttentionHeadCount = 4,
            KeyValueHeadCount = 1,
            IntermediateSize = 512,
            ExpertIntermediateSize = 128,
            ExpertCount = 32,
            VocabularySize = 4096,
        };
        using WorkerPool workers = new(2);
        ModelWeights weights = new(
            new SyntheticSource("small", 1, TensorCatalog.For(configuration)), configuration, roundToBFloat16: false);
        weights.Pack(workers);
        List<(double Whole, double Attention)[]> rounds = [], without = [];
        for (int round = 0; round < Rounds; round++)
        {
            rounds.Add(Decode(configuration, weights, new Clocked(workers) { Attends = true }));
            without.Add(Decode(configuration, weights, new Clocked(workers)));
        }

        Console.WriteLine("hidden 256, 4 layers, 32 experts, greedy, 2 threads; ms per token, best of rounds");
        Console.WriteLine("    context      whole  attention   the rest  without attention");
        List<double> bare = [];
        for (int window = 1; window < Windows; window++) // the first compiles
        {
            (double Whole, double Attention) best = rounds.Select(round => round[window]).MinBy(time => time.Whole);
            double rest = best.Whole - best.Attention, none = without.Min(round => round[window].Whole);
            bare.Add(none);
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"  {window * Window,9} {best.Whole,10:F3} {best.Attention,10:F3} {rest,10:F3} {none,18:F3}"));
        }

        double growth = Median(bare[^5..]) / Median(bare[..5]);
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"  without attention, the last five over the first five: {growth:F2} ×; bar {Bar:F2}"));
        return growth <= Bar ? 0 : 4;

        static double Median(IEnumerable<double> times) => times.Order().ElementAt(2);
    }

    private static (double Whole, double Attention)[] Decode(
        ModelConfiguration configuration, ModelWeights weights, Clocked operators)
    {
        GenerationEngine engine = new(configuration, weights, operators, new GenerationLimits());
        List<(long Whole, long Attention)> tokens = [];
        GenerationRequest request = new([1, 2, 3])
        {
            Sampling = SamplingOptions.Greedy with { MaxTokens = (Window * Windows) + 1, IgnoreEndOfSequence = true },
            LogitsSeen = (_, _) => tokens.Add((Stopwatch.GetTimestamp(), operators.Ticks)),
        };
        engine.Generate(request).ToBlockingEnumerable().Last();
        engine.DisposeAsync().AsTask().Wait();
        return
        [
            .. Enumerable.Range(0, Windows).Select(window =>
            {
                (long Whole, long Attention) first = tokens[window * Window], next = tokens[(window + 1) * Window];
                return (
                    Milliseconds(next.Whole - first.Whole), Milliseconds(next.Attention - first.Attention));
            }),
        ];

        static double Milliseconds(long ticks) => ticks * 1000.0 / Stopwatch.Frequency / Window;
    }

    private sealed class Clocked(WorkerPool workers)
        : Float32Operators<Float32Precision>(ExecutionEngine.Vector512, workers)
    {
        public long Ticks { get; private set; }

        public bool Attends { get; init; }

        public override HostTensor<float> CausalAttention(
            AttentionShape shape,
            HostTensor<float> query,
            HostTensor<float> keys,
            HostTensor<float> values,
            byte[] visible,
            HostTensor<float>? attentionWeights)
        {
            if (!Attends)
            {
                return new HostTensor<float>(shape.Batch, shape.QueryTokens, shape.Heads * shape.HeadDim);
            }

            long start = Stopwatch.GetTimestamp();
            HostTensor<float> context =
                base.CausalAttention(shape, query, keys, values, visible, attentionWeights);
            Ticks += Stopwatch.GetTimestamp() - start;
            return context;
        }
    }
}
