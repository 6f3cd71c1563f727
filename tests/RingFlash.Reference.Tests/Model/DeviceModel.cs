// Red means: the model on a device has other bits than on the CPU, or talks to the host more than it must.
using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Tests.Devices;
using Xunit;

namespace RingFlash.Reference.Tests.Model;

public sealed class DeviceModel(CpuDevice device) : IClassFixture<CpuDevice>
{
    private const int Prompt = 5, Decoded = 3;

    [Fact]
    public void Prompt_and_decoding_have_the_bits_of_vector512_on_the_cpu_accelerator() =>
        Compare<Float32Precision>(device.OneWarp, TinyModels.Read(), bfloat16: false);

    [Fact]
    public void Under_bfloat16_too() =>
        Compare<BFloat16Precision>(device.OneWarp, TinyModels.Read(), bfloat16: true);

    [Fact]
    public void And_with_block_FP8_weights() => Compare<Float32Precision>(
        device.OneWarp, TinyModels.Read(("quantization_config", TinyModels.Float8Blocks)), bfloat16: false);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void And_with_quantised_activations(bool bfloat16)
    {
        ModelConfiguration configuration = TinyModels.Read(("quantization_config", TinyModels.Float8Blocks));
        if (bfloat16)
        {
            Compare<BFloat16Precision>(device.OneWarp, configuration, bfloat16: true, quantise: true);
        }
        else
        {
            Compare<Float32Precision>(device.OneWarp, configuration, bfloat16: false, quantise: true);
        }
    }

    [Fact]
    public void And_when_the_PTX_itself_runs() =>
        Compare<Float32Precision>(device.Interpreted, TinyModels.Read(), bfloat16: false);

    [Fact]
    public void Losses_and_padding_too()
    {
        ModelConfiguration configuration = TinyModels.Read();
        ModelWeights weights = TinyModels.Weights(configuration);
        using WorkerPool workers = new(1);
        ForwardInput input = PaddedInputs.Of(configuration, [6, 4]);
        input = input with { Labels = input.Ids };
        ForwardResult<float> expected = new RingFlashModel<float>(
            configuration, weights, new Float32Operators<Float32Precision>(ExecutionEngine.Vector512, workers))
            .Forward(input);
        ForwardResult<float> actual = new RingFlashModel<float>(
            configuration, weights, new DeviceOperators<Float32Precision>(device.Interpreted, workers))
            .Forward(input);
        Runs.AssertSameBits("logits", expected.Logits.Values, actual.Logits.Values);
        Assert.Equal(expected.Losses, actual.Losses);
        Assert.NotNull(expected.Losses);
    }

    [Fact]
    public void A_decoded_token_is_fetched_once_and_nothing_else_is()
    {
        ModelConfiguration configuration = TinyModels.Read();
        using WorkerPool workers = new(1);
        ModelWeights weights = TinyModels.Weights(configuration);
        KernelHost host = device.OneWarp;
        RingFlashModel<float> model = new(
            configuration, weights, new DeviceOperators<Float32Precision>(host, workers));
        KeyValueCache<float> cache = new(configuration, batch: 1, capacity: 60);

        // A prompt that reaches all twelve experts: from then on nobody has to know the router's choice.
        _ = model.Forward(new ForwardInput(TinyModels.Ids(configuration, 50), 1), cache).Logits.Values;
        for (int token = 0; token < 3; token++)
        {
            long downloads = host.Downloads, uploads = host.Uploads, waits = host.Waits;
            ForwardResult<float> result = model.Forward(
                new ForwardInput(TinyModels.Ids(configuration, 1, 7 + (ulong)token), 1), cache);
            Assert.Equal(downloads, host.Downloads);
            _ = result.Logits.Values;
            Assert.Equal(downloads + 1, host.Downloads);

            // Cosines, sines, and the ids for the main layers and for the MTP layer; the last wait for the main layers.
            Assert.Equal(uploads + 4, host.Uploads);
            Assert.Equal(waits + 2, host.Waits);
        }
    }

    private static void Compare<TPrecision>(
        KernelHost host, ModelConfiguration configuration, bool bfloat16, bool quantise = false)
        where TPrecision : struct, IPrecision
    {
        using WorkerPool workers = new(1);
        ModelWeights weights = TinyModels.Weights(configuration, bfloat16: bfloat16);
        List<float[]> expected = Run(
            configuration, weights, new Float32Operators<TPrecision>(ExecutionEngine.Vector512, workers, quantise));
        List<float[]> actual = Run(configuration, weights, new DeviceOperators<TPrecision>(host, workers, quantise));
        for (int index = 0; index < expected.Count; index++)
        {
            Runs.AssertSameBits($"result {index}", expected[index], actual[index]);
        }
    }

    /// <summary>Logits of a prompt of two sequences and of decoded tokens, main and MTP.</summary>
    private static List<float[]> Run(
        ModelConfiguration configuration, ModelWeights weights, ForwardOperators<float> operators)
    {
        RingFlashModel<float> model = new(configuration, weights, operators);
        KeyValueCache<float> cache = new(configuration, batch: 2, capacity: Prompt + Decoded);
        List<float[]> results = [];
        Forward(Prompt, 1);
        for (int token = 0; token < Decoded; token++)
        {
            Forward(1, 2 + (ulong)token);
        }

        return results;

        void Forward(int tokens, ulong seed)
        {
            ForwardResult<float> result = model.Forward(
                new ForwardInput(TinyModels.Ids(configuration, 2 * tokens, seed), 2), cache);
            results.Add([.. result.Logits.Values]);
            results.Add([.. result.MultiTokenLogits!.Values]);
            results.Add([.. result.HiddenStates.Values]);
        }
    }
}
