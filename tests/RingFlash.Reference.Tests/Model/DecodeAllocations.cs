// Red means: a decoded token leaves garbage, or a pass writes over what its caller may still read.
using System;
using System.Linq;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using Xunit;

namespace RingFlash.Reference.Tests.Model;

public sealed class DecodeAllocations
{
    private const int Warm = 8, Counted = 50, Windows = 3;

    [Theory]
    [InlineData(1, 1, false)]
    [InlineData(2, 1, false)]
    [InlineData(2, 1, true)]
    [InlineData(2, 3, false)]
    public void A_decoded_token_allocates_nothing_on_any_thread(int threads, int batch, bool multiToken)
    {
        ModelConfiguration configuration = TinyModels.Read();
        ModelWeights weights = TinyModels.Weights(configuration);
        using WorkerPool workers = new(threads);
        weights.Pack(workers);
        RingFlashModel<float> model = new(
            configuration, weights, new Float32Operators<Float32Precision>(ExecutionEngine.Vector512, workers));
        KeyValueCache<float> cache = new(configuration, batch, Warm + (Windows * Counted));
        long[] ids = TinyModels.Ids(configuration, batch * (Warm + (Windows * Counted)));
        ForwardInput input = new(new long[batch], batch) { RunMultiToken = multiToken };
        AllocationCount count = new(workers);
        count.Start();
        Decode(0, 1);
        Assert.InRange(count.Bytes(), 1, long.MaxValue); // the tensors, once
        Decode(1, Warm - 1);

        // A token's garbage is in every window. What is in one only is the runtime's: it was once 4672 bytes on a busy
        // machine, where tiers change and static fields are made late, and never again in 100 runs under load.
        long[] windows = new long[Windows];
        for (int window = 0; window < Windows; window++)
        {
            count.Start();
            Decode(Warm + (window * Counted), Counted);
            windows[window] = count.Bytes();
        }

        Assert.True(windows.Min() == 0, $"bytes in {Counted} tokens each: {string.Join(", ", windows)}");
        Assert.Equal(Warm + (Windows * Counted), cache.Length);

        void Decode(int first, int tokens)
        {
            for (int token = first; token < first + tokens; token++)
            {
                ids.AsSpan(token * batch, batch).CopyTo(input.Ids);
                model.Forward(input, cache);
            }
        }
    }

    [Fact]
    public void Garbage_of_a_worker_is_counted()
    {
        using WorkerPool workers = new(2);
        AllocationCount count = new(workers);
        count.Start();
        workers.Run(2, (_, _, worker) => GC.KeepAlive(worker == 1 ? new byte[1000] : null));
        Assert.InRange(count.Bytes(), 1000, 3000);
    }

    [Fact]
    public void A_result_lasts_until_the_next_pass_and_a_traced_one_for_good()
    {
        ModelConfiguration configuration = TinyModels.Read();
        using WorkerPool workers = new(1);
        RingFlashModel<float> model = new(
            configuration,
            TinyModels.Weights(configuration),
            new Float32Operators<Float32Precision>(ExecutionEngine.Vector512, workers));
        ForwardInput one = new(TinyModels.Ids(configuration, 5, 1), 1);
        ForwardInput two = new(TinyModels.Ids(configuration, 5, 2), 1);
        ForwardResult<float> first = model.Forward(one);
        float[] logits = [.. first.Logits.Values];
        ForwardResult<float> traced = model.Forward(two, null, new Recorder<float>());
        float[] expected = [.. traced.Logits.Values];
        ForwardResult<float> second = model.Forward(two);
        Assert.Same(first.Logits, second.Logits);
        Runs.AssertSameBits("second", expected, second.Logits.Values);
        Assert.NotEqual(logits, second.Logits.Values);
        Assert.NotSame(traced.Logits, second.Logits);

        // Old contents do not show, whatever they are.
        second.Logits.Span.Fill(float.NaN);
        second.HiddenStates.Span.Fill(float.NaN);
        Runs.AssertSameBits("first again", logits, model.Forward(one).Logits.Values);
        Runs.AssertSameBits("traced", expected, traced.Logits.Values);
    }

    /// <summary>What the caller and the workers allocate.</summary>
    private sealed class AllocationCount(WorkerPool workers)
    {
        private readonly long[] starts = new long[workers.ThreadCount], ends = new long[workers.ThreadCount];

        public void Start() => Read(starts);

        public long Bytes()
        {
            Read(ends);
            return ends.Zip(starts, (end, start) => end - start).Sum();
        }

        private void Read(long[] bytes) => workers.Run(
            workers.ThreadCount,
            bytes,
            static (in bytes, _, _, worker) => bytes[worker] = GC.GetAllocatedBytesForCurrentThread());
    }
}
