// Red means: the bits of the forward pass depend on the engine, the thread count, the batch or the cutting of a prompt.
using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using Xunit;

namespace RingFlash.Reference.Tests.Model;

public sealed class SameBits
{
    [Theory]
    [InlineData(Policy.Float32)]
    [InlineData(Policy.BFloat16)]
    [InlineData(Policy.Float8Weights)]
    [InlineData(Policy.Float8Activations)]
    public void Scalar_and_vector_code_agree(Policy policy)
    {
        ModelConfiguration configuration = policy.Configuration(("use_qkv_bias", true), ("use_bias", true));
        ModelWeights weights = TinyModels.Weights(configuration, bfloat16: policy == Policy.BFloat16);
        long[] ids = TinyModels.Ids(configuration, 2 * 19);
        ForwardInput input = new(ids, 2) { Labels = ids };
        using WorkerPool workers = new(1);
        ForwardOperators<float> scalar = policy.Operators(ExecutionEngine.Scalar, workers);
        ForwardOperators<float> vector = policy.Operators(ExecutionEngine.Vector512, workers);
        Run<float>? expected = null, actual = null;
        Assert.False(policy.SawVector(() => expected = Runs.Of(configuration, weights, scalar, input)));
        Assert.True(policy.SawVector(() => actual = Runs.Of(configuration, weights, vector, input)));
        Assert.Equal(("scalar", "vector512"), (scalar.EngineName, vector.EngineName));
        Runs.AssertSameBits(expected!, actual!);
    }

    [Theory]
    [InlineData(Policy.Float32)]
    [InlineData(Policy.BFloat16)]
    [InlineData(Policy.Float8Weights)]
    [InlineData(Policy.Float8Activations)]
    public void Weights_in_memory_and_weights_read_as_they_are_used_agree(Policy policy)
    {
        ModelConfiguration configuration = policy.Configuration(("use_qkv_bias", true), ("use_bias", true));
        long[] ids = TinyModels.Ids(configuration, 2 * 19);
        ForwardInput input = new(ids, 2) { Labels = ids };
        using WorkerPool workers = new(2);
        using WatchedSource source = new(TinyModels.Source(configuration));
        ModelWeights weights = new(source, configuration, policy == Policy.BFloat16);
        ForwardOperators<float> operators = policy.Operators(ExecutionEngine.Vector512, workers);
        Run<float> read = Runs.Of(configuration, weights, operators, input);
        weights.Pack(workers);
        int matrices = 0;
        foreach (WeightMatrix matrix in weights.Products())
        {
            Assert.NotNull(matrix.Panels);
            matrices++;
        }

        Assert.True(matrices > 3 * configuration.ExpertCount);
        source.Threads.Clear();
        Run<float> resident = Runs.Of(configuration, weights, operators, input);
        Assert.Single(source.Threads); // only the caller, which looks up embeddings
        Runs.AssertSameBits(read, resident);
        weights.Unpack();
        Assert.All(weights.Products(), matrix => Assert.Null(matrix.Panels));
        Runs.AssertSameBits(read, Runs.Of(configuration, weights, operators, input));
    }

    [Fact]
    public void The_four_policies_are_four()
    {
        // Without this the theory above might compare one policy with itself four times.
        using WorkerPool workers = new(1);
        List<float[]> logits = [];
        foreach (Policy policy in Enum.GetValues<Policy>())
        {
            ModelConfiguration configuration = policy.Configuration();
            ModelWeights weights = TinyModels.Weights(configuration, bfloat16: policy == Policy.BFloat16);
            Assert.Equal(policy.IsFloat8(), weights.Layer(0).QueryKeyValue is Float8BlockMatrix);
            ForwardInput input = new(TinyModels.Ids(configuration, 5), 1);
            logits.Add(Runs.Of(configuration, weights, policy.Operators(ExecutionEngine.Vector512, workers), input)
                .Result.Logits.Values);
        }

        Assert.Equal(4, logits.Select(values => Convert.ToHexString(
            System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan()))).Distinct().Count());
    }

    [Theory]
    [InlineData(ExecutionEngine.Vector512, Policy.Float32)]
    [InlineData(ExecutionEngine.Vector512, Policy.BFloat16)]
    [InlineData(ExecutionEngine.Vector512, Policy.Float8Activations)]
    [InlineData(ExecutionEngine.Scalar, Policy.Float32)]
    public void One_two_and_three_threads_agree(ExecutionEngine engine, Policy policy)
    {
        ModelConfiguration configuration = policy.Configuration();
        long[] ids = TinyModels.Ids(configuration, 2 * 11);
        ForwardInput input = new(ids, 2) { Labels = ids };
        Run<float>? single = null;
        foreach (int threads in new[] { 1, 2, 3 })
        {
            using WorkerPool workers = new(threads);
            using WatchedSource source = new(TinyModels.Source(configuration));
            ModelWeights weights = new(source, configuration, policy == Policy.BFloat16);
            source.Threads.Clear();
            Run<float> run = Runs.Of(configuration, weights, policy.Operators(engine, workers), input);
            Assert.Equal(threads, workers.ThreadCount);
            Assert.Equal(threads, source.Threads.Count);
            single ??= run;
            Runs.AssertSameBits(single, run);
        }
    }

    [Theory]
    [InlineData(Policy.Float32)]
    [InlineData(Policy.BFloat16)]
    [InlineData(Policy.Float8Activations)]
    public void A_sequence_alone_and_anywhere_in_a_batch_agree(Policy policy)
    {
        const int Tokens = 13, Sequences = 3;
        ModelConfiguration configuration = policy.Configuration();
        ModelWeights weights = TinyModels.Weights(configuration, bfloat16: policy == Policy.BFloat16);
        using WorkerPool workers = new(2);
        ForwardOperators<float> operators = policy.Operators(ExecutionEngine.Vector512, workers);
        long[][] sequences =
            [.. Enumerable.Range(0, Sequences).Select(s => TinyModels.Ids(configuration, Tokens, (ulong)s + 50))];
        Run<float>[] alone =
            [.. sequences.Select(ids => Runs.Of(configuration, weights, operators, new ForwardInput(ids, 1)))];
        Assert.NotEqual(alone[0].Result.Logits.Values, alone[1].Result.Logits.Values);
        foreach (int[] order in new[] { new[] { 0, 1, 2 }, [2, 0, 1], [1, 2, 0] })
        {
            long[] ids = [.. order.SelectMany(s => sequences[s])];
            Run<float> batch = Runs.Of(configuration, weights, operators, new ForwardInput(ids, Sequences));
            Assert.Equal(Sequences, batch.Result.Logits.Shape[0]);
            for (int row = 0; row < Sequences; row++)
            {
                AssertRowOf(batch, row, Sequences, alone[order[row]]);
            }
        }
    }

    [Theory]
    [InlineData(20, 13, 5)]
    [InlineData(150, 137, 3)]
    public void A_left_padded_sequence_and_itself_unpadded_agree(int longest, int middle, int shortest)
    {
        ModelConfiguration configuration = TinyModels.Read();
        ModelWeights weights = TinyModels.Weights(configuration);
        using WorkerPool workers = new(2);
        foreach (ExecutionEngine engine in Enum.GetValues<ExecutionEngine>())
        {
            ForwardOperators<float> operators = Policy.Float32.Operators(engine, workers);
            int[] lengths = [longest, middle, shortest];
            ForwardInput input = PaddedInputs.Of(configuration, lengths);
            Run<float> padded = Runs.Of(configuration, weights, operators, input);
            for (int row = 0; row < lengths.Length; row++)
            {
                int padding = longest - lengths[row];
                long[] ids = input.Ids[((row * longest) + padding)..((row + 1) * longest)];
                Run<float> alone = Runs.Of(configuration, weights, operators, new ForwardInput(ids, 1));
                AssertRealPositions(padded, row, longest, padding, alone);
            }
        }
    }

    private static void AssertRowOf(Run<float> batch, int row, int rows, Run<float> alone)
    {
        // Every tap has the batch as its outermost axis, alone or joined with the tokens.
        Assert.Equal(alone.Taps.Names, batch.Taps.Names);
        foreach (string name in alone.Taps.Names)
        {
            if (alone.Taps.Choices.TryGetValue(name, out (int[] Indices, int TopK) choice))
            {
                int[] all = batch.Taps.Choices[name].Indices;
                Assert.Equal(choice.Indices, all[(all.Length / rows * row)..(all.Length / rows * (row + 1))]);
            }
            else
            {
                float[] all = batch.Single(name);
                Runs.AssertSameBits(name, alone.Single(name), all.AsSpan(all.Length / rows * row, all.Length / rows));
            }
        }

        float[] logits = batch.Result.MultiTokenLogits!.Values;
        Runs.AssertSameBits(
            "result.mtp",
            alone.Result.MultiTokenLogits!.Values,
            logits.AsSpan(logits.Length / rows * row, logits.Length / rows));
    }

    private static void AssertRealPositions(Run<float> padded, int row, int tokens, int padding, Run<float> alone)
    {
        int real = tokens - padding;
        foreach (string name in alone.Taps.Tensors.Keys)
        {
            HostTensor<float> one = alone.Taps.Tensors[name], all = padded.Taps.Tensors[name];
            if (name.EndsWith("attention.weights", StringComparison.Ordinal))
            {
                int heads = one.Shape[1];
                for (int item = 0; item < heads * real; item++)
                {
                    int head = item / real, t = item % real;
                    Span<float> keys = all.Row((((row * heads) + head) * tokens) + padding + t);
                    Runs.AssertSameBits(name, one.Row(item), keys[padding..]);
                    Assert.True(keys[..padding].IndexOfAnyExcept(0f) < 0, $"{name}: weight on padding");
                }
            }
            else if (one.Shape.Length == 4)
            {
                int heads = one.Shape[1];
                for (int item = 0; item < heads * real; item++)
                {
                    int at = (((row * heads) + (item / real)) * tokens) + padding + (item % real);
                    Runs.AssertSameBits(name, one.Row(item), all.Row(at));
                }
            }
            else
            {
                int width = one.Values.Length / real;
                Runs.AssertSameBits(
                    name, one.Values, all.Values.AsSpan(((row * tokens) + padding) * width, real * width));
            }
        }
    }
}
