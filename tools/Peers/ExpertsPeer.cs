using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using RingFlash.Benchmarks;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using TorchSharp;
using static TorchSharp.torch;

namespace RingFlash.Peers;

/// <summary>
/// The routed experts of a layer of Ring-flash-2.0 against a loop over experts in libtorch bf16: 64 experts, so that
/// 128 tokens give 16 rows an expert, as 512 tokens do on the model's 256.
/// </summary>
internal static class ExpertsPeer
{
    private const int Experts = 64, TopK = 8, Hidden = 4096, Intermediate = 1024;

    /// <summary>Runs.</summary>
    /// <param name="workers">Our threads.</param>
    /// <returns>0, or 4 when the two do not agree and nothing is timed.</returns>
    public static int Run(WorkerPool workers)
    {
        Expert[] experts = [.. Enumerable.Range(0, Experts).Select(index => new Expert(index, workers))];
        return Tokens(workers, experts, 1, 40) && Tokens(workers, experts, 128, 15) ? 0 : 4;
    }

    private static bool Tokens(WorkerPool workers, Expert[] experts, int tokens, int rounds)
    {
        Random random = new(tokens);
        float[] x = new float[tokens * Hidden];
        for (int index = 0; index < x.Length; index++)
        {
            x[index] = random.NextSingle() - 0.5f;
        }

        // Each turn has a routing of its own, so that one token finds its experts in memory and not in the cache.
        ExpertDispatch[] dispatches = [.. Enumerable.Range(0, Experts / TopK).Select(_ => Route(random, tokens))];
        Tensor[][] rows = [.. dispatches.Select(dispatch => dispatch.ActiveExperts.ToArray().Select((_, active) => tensor(
            dispatch.RowsOf(active).ToArray().Select(row => (long)(row / TopK)).ToArray())).ToArray())];
        float[] outputs = new float[tokens * TopK * Hidden];
        using Tensor input = tensor(x).reshape(tokens, Hidden).to(ScalarType.BFloat16);
        int turn = 0;
        void Ours() => RoutedExperts.Vectorised<Float32Precision>(
            workers, x, dispatches[turn % dispatches.Length], expert => experts[expert].Packed, outputs);
        Tensor[] Theirs()
        {
            ExpertDispatch dispatch = dispatches[turn % dispatches.Length];
            return [.. dispatch.ActiveExperts.ToArray().Select((expert, active) =>
                experts[expert].Apply(input.index_select(0, rows[turn % dispatches.Length][active])))];
        }

        void Timed()
        {
            using DisposeScope scope = NewDisposeScope();
            Theirs();
        }

        Placement.Fix(() =>
        {
            Ours();
            Timed();
        });
        double distance = Distance(dispatches[0], outputs, Theirs()), largest = outputs.Max(Math.Abs);
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"experts, {tokens} tokens: largest distance {distance:E1} where the largest value is {largest:E1}"));
        if (!(distance < 0.05 * largest))
        {
            Console.Error.WriteLine("the two do not agree; nothing is timed");
            return false;
        }

        PairedRounds paired = new() { PauseMilliseconds = 30 };
        paired.Add("ours, bf16 weights, exact float32", () =>
        {
            turn++;
            Ours();
        });
        paired.Add("libtorch bf16, loop over experts", Timed);
        paired.Run(rounds);
        return true;
    }

    private static ExpertDispatch Route(Random random, int tokens)
    {
        int[] all = [.. Enumerable.Range(0, Experts)];
        List<int> indices = [];
        for (int t = 0; t < tokens; t++)
        {
            random.Shuffle(all);
            indices.AddRange(all[..TopK]);
        }

        return ExpertDispatch.Group([.. indices], TopK, Experts);
    }

    private static double Distance(ExpertDispatch dispatch, float[] ours, Tensor[] theirs)
    {
        double worst = 0;
        for (int active = 0; active < theirs.Length; active++)
        {
            float[] values = theirs[active].to(ScalarType.Float32).data<float>().ToArray();
            for (int row = dispatch.Offsets[active]; row < dispatch.Offsets[active + 1]; row++)
            {
                for (int h = 0; h < Hidden; h++)
                {
                    float value = values[((row - dispatch.Offsets[active]) * Hidden) + h];
                    worst = Math.Max(worst, Math.Abs(ours[(dispatch.Rows[row] * Hidden) + h] - (double)value));
                }
            }
        }

        return worst;
    }

    /// <summary>One expert in both forms.</summary>
    private sealed class Expert
    {
        private readonly Tensor gate, up, down;

        public Expert(int index, WorkerPool workers)
        {
            (ArrayMatrix gateMatrix, gate) = ArrayMatrix.Random(3 * index, Intermediate, Hidden, workers);
            (ArrayMatrix upMatrix, up) = ArrayMatrix.Random((3 * index) + 1, Intermediate, Hidden, workers);
            (ArrayMatrix downMatrix, down) = ArrayMatrix.Random((3 * index) + 2, Hidden, Intermediate, workers);
            Packed = new ExpertWeights(gateMatrix, upMatrix, downMatrix);
        }

        public ExpertWeights Packed { get; }

        public Tensor Apply(Tensor x) => nn.functional.linear(
            nn.functional.silu(nn.functional.linear(x, gate)) * nn.functional.linear(x, up), down);
    }
}
