// Red means: every decoded token leaves much more garbage than the results of its operators.
using System;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using Xunit;

namespace RingFlash.Reference.Tests.Model;

public sealed class DecodeAllocations
{
    // Measured: 28185. The float32 results of the operators are about 18000 of it, the rest their tensors' headers and
    // axes and the lists of who goes to which expert. Closures, boxes or copies would show here.
    private const long MostBytes = 30_000;

    [Fact]
    public void A_decoded_token_allocates_its_results_and_little_else()
    {
        const int Tokens = 40, Warm = 8;
        ModelConfiguration configuration = TinyModels.Read(("num_nextn_predict_layers", 0));
        ModelWeights weights = TinyModels.Weights(configuration);
        using WorkerPool workers = new(2);
        weights.Pack(workers);
        RingFlashModel<float> model = new(
            configuration, weights, new Float32Operators<Float32Precision>(ExecutionEngine.Vector512, workers));
        KeyValueCache<float> cache = new(configuration, 1, Tokens);
        long[] ids = TinyModels.Ids(configuration, Tokens);
        long start = 0;
        for (int token = 0; token < Tokens; token++)
        {
            start = token == Warm ? GC.GetAllocatedBytesForCurrentThread() : start;
            model.Forward(new ForwardInput([ids[token]], 1), cache);
        }

        long perToken = (GC.GetAllocatedBytesForCurrentThread() - start) / (Tokens - Warm);
        Assert.InRange(perToken, 1, MostBytes);
    }
}
