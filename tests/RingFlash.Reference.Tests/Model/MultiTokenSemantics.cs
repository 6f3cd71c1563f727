// Red means: the multi-token-prediction layer reads other tokens, other hidden states or another cache slot.
using System;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using Xunit;

namespace RingFlash.Reference.Tests.Model;

public sealed class MultiTokenSemantics : IDisposable
{
    private const int Tokens = 7;
    private readonly WorkerPool workers = new(1);
    private readonly ModelConfiguration configuration = TinyModels.Read();
    private readonly ModelWeights weights;

    public MultiTokenSemantics() => weights = TinyModels.Weights(configuration);

    public void Dispose() => workers.Dispose();

    [Fact]
    public void Position_t_sees_token_t_plus_one_and_the_last_position_token_zero()
    {
        ForwardInput input = new(TinyModels.Ids(configuration, 2 * Tokens), 2);
        HostTensor<float> embeddings = RunOf(input).Taps.Tensors["mtp.0.word_embeddings.output"];
        float[] expected = new float[configuration.HiddenSize];
        for (int at = 0; at < 2 * Tokens; at++)
        {
            long id = at % Tokens == Tokens - 1 ? 0 : input.Ids[at + 1];
            weights.WordEmbeddings.ReadRow((int)id, expected);
            Runs.AssertSameBits($"position {at}", expected, embeddings.Row(at));
        }
    }

    [Fact]
    public void Position_t_joins_its_embedding_first_and_the_normed_hidden_state_of_t_second()
    {
        Run<float> run = RunOf(new ForwardInput(TinyModels.Ids(configuration, 2 * Tokens), 2));
        MultiTokenWeights layer = weights.MultiToken!;
        HostTensor<float> embeddings = run.Taps.Tensors["mtp.0.word_embeddings.output"];
        HostTensor<float> hidden = run.Taps.Tensors["model.norm.output"]; // after the final norm
        HostTensor<float> projected = run.Taps.Tensors["model.layers.2.eh_proj.output"];
        int width = configuration.HiddenSize;
        float[] row = new float[2 * width];
        for (int t = 0; t < 2 * Tokens; t++)
        {
            double[] first = Normed(embeddings.Row(t), layer.EmbeddingNorm);
            double[] second = Normed(hidden.Row(t), layer.HiddenNorm);
            for (int output = 0; output < width; output++)
            {
                layer.EmbeddingHiddenProjection.ReadRow(output, row);
                double right = Dot(row[..width], first) + Dot(row[width..], second);
                double swapped = Dot(row[..width], second) + Dot(row[width..], first);
                Assert.Equal(right, projected.Row(t)[output], 1e-5);
                if (output == 0)
                {
                    Assert.NotEqual(swapped, projected.Row(t)[output], 1e-3);
                }
            }
        }
    }

    [Fact]
    public void Its_logits_come_from_the_shared_head_after_its_own_norm()
    {
        Run<float> run = RunOf(new ForwardInput(TinyModels.Ids(configuration, Tokens), 1));
        HostTensor<float> output = run.Taps.Tensors["model.layers.2.output"];
        Runs.AssertSameBits("two names", output.Values, run.Single("model.layers.2.final_layernorm.output"));
        Float32Operators<Float32Precision> operators = new(ExecutionEngine.Vector512, workers);
        float[] logits = operators.LinearProjection(output, weights.LanguageModelHead, []).Values;
        Runs.AssertSameBits("logits", logits, run.Result.MultiTokenLogits!.Values);
        Runs.AssertSameBits("tap", logits, run.Single("mtp.0.logits"));
    }

    [Fact]
    public void It_changes_nothing_in_the_main_model()
    {
        ForwardInput input = new(TinyModels.Ids(configuration, 2 * Tokens), 2);
        Run<float> with = RunOf(input), without = RunOf(input with { RunMultiToken = false });
        Assert.NotNull(with.Result.MultiTokenLogits);
        Assert.Null(without.Result.MultiTokenLogits);
        Runs.AssertSameBits("logits", with.Result.Logits.Values, without.Result.Logits.Values);
        Assert.Equal(without.Taps.Names, with.Taps.Names.Take(without.Taps.Names.Count));
        Assert.Contains("mtp.0.word_embeddings.output", with.Taps.Names.Skip(without.Taps.Names.Count));
    }

    [Fact]
    public void It_keeps_keys_and_values_in_the_slot_after_the_last_layer()
    {
        ForwardInput input = new(TinyModels.Ids(configuration, Tokens), 1);
        KeyValueCache<float> cache = new(configuration, 1, Tokens);
        Run<float> run = RunOf(input, cache);
        Assert.Equal(2, configuration.MtpLayerIndex);
        for (int layer = 0; layer < 3; layer++)
        {
            Assert.Equal(Tokens, cache.LengthOf(layer));
            Runs.AssertSameBits(
                $"keys {layer}", run.Single($"model.layers.{layer}.attention.rotary.key"), cache.Keys(layer).Values);
        }

        // The slot stays empty when the layer does not run, and there is none without such a layer.
        KeyValueCache<float> empty = new(configuration, 1, Tokens);
        RunOf(input with { RunMultiToken = false }, empty);
        Assert.Equal((Tokens, Tokens, 0), (empty.LengthOf(0), empty.LengthOf(1), empty.LengthOf(2)));
        ModelConfiguration plain = TinyModels.Read(("num_nextn_predict_layers", 0));
        Assert.Throws<IndexOutOfRangeException>(() => new KeyValueCache<float>(plain, 1, 1).LengthOf(2));
    }

    [Fact]
    public void A_slot_that_lags_behind_a_padded_prompt_is_refused()
    {
        // The mask counts the main layers' keys; over a shorter slot every row after the first would be misread.
        KeyValueCache<float> cache = new(configuration, 2, Tokens + 1);
        ForwardInput prompt = PaddedInputs.Of(configuration, [Tokens, 3]);
        RunOf(prompt with { RunMultiToken = false }, cache);
        ForwardInput next = new([1, 2], 2)
        {
            AttentionMask = [.. prompt.AttentionMask![..Tokens], 1, .. prompt.AttentionMask[Tokens..], 1],
            Positions = [Tokens, 3],
        };
        Assert.Equal("input", Assert.Throws<ArgumentException>(() => RunOf(next, cache)).ParamName);
        Assert.NotNull(RunOf(next with { RunMultiToken = false }, cache).Result.Logits);
    }

    [Fact]
    public void A_full_cache_refuses_and_says_so()
    {
        KeyValueCache<float> cache = new(configuration, 1, Tokens - 1);
        ForwardInput input = new(TinyModels.Ids(configuration, Tokens), 1);
        Assert.Contains("6", Assert.Throws<ArgumentException>(() => RunOf(input, cache)).Message);
        Assert.Equal(0, cache.Length);
    }

    private static double[] Normed(ReadOnlySpan<float> x, float[] weight)
    {
        double sum = 0;
        foreach (float value in x)
        {
            sum += (double)value * value;
        }

        double[] y = new double[x.Length];
        for (int index = 0; index < y.Length; index++)
        {
            y[index] = weight[index] * x[index] / Math.Sqrt((sum / y.Length) + 1e-6);
        }

        return y;
    }

    private static double Dot(float[] left, double[] right) => left.Zip(right, (a, b) => a * b).Sum();

    private Run<float> RunOf(ForwardInput input, KeyValueCache<float>? cache = null) => Runs.Of(
        configuration,
        weights,
        new Float32Operators<Float32Precision>(ExecutionEngine.Vector512, workers),
        input,
        cache);
}
