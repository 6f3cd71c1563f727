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

    [Fact]
    public void And_when_the_PTX_itself_runs() =>
        Compare<Float32Precision>(device.Interpreted, TinyModels.Read(), bfloat16: false);

    private static void Compare<TPrecision>(KernelHost host, ModelConfiguration configuration, bool bfloat16)
        where TPrecision : struct, IPrecision
    {
        using WorkerPool workers = new(1);
        ModelWeights weights = TinyModels.Weights(configuration, bfloat16: bfloat16);
        List<float[]> expected = Run(
            configuration, weights, new Float32Operators<TPrecision>(ExecutionEngine.Vector512, workers));
        List<float[]> actual = Run(configuration, weights, new DeviceOperators<TPrecision>(host, workers));
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
