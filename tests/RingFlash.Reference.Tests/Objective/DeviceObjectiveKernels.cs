// Red here: the objective on a device has another loss or gradient than on the CPU.
using System;
using System.Linq;
using ILGPU;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Objective;
using RingFlash.Reference.Operators;
using RingFlash.Reference.Tests.Devices;
using RingFlash.Reference.Tests.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Objective;

public sealed class DeviceObjectiveKernels(CpuDevice device) : IClassFixture<CpuDevice>
{
    public static TheoryData<string> Variants =>
        [.. ObjectiveVariants.All.Where(one => DeviceObjective.Supports(one.Value)).Select(one => one.Key)];

    public static TheoryData<string> Cases => [.. IcePopCases.Names];

    [Fact]
    public void ThereAreVariants() => Assert.True(Variants.Count >= 4);

    [Theory]
    [MemberData(nameof(Variants))]
    public void LossAndGradientHaveTheBitsOfVector512(string variant)
    {
        foreach (KullbackLeiblerKind kind in Enum.GetValues<KullbackLeiblerKind>())
        {
            PolicyObjectiveOptions options = ObjectiveVariants.All[variant] with { KullbackLeibler = kind };
            if (kind == KullbackLeiblerKind.K1 || options.KullbackLeiblerCoefficient != 0)
            {
                foreach (int length in new int[] { 1, 31, 33, 200 })
                {
                    RolloutBatchSingle batch = RandomBatches.Make(5, length, length, edges: true).ToSingle();
                    Compare(device.TwoWarps, batch, options, $"{variant}, {kind}, length {length}");
                    Compare(device.Interpreted, batch, options, $"{variant}, {kind}, length {length}");
                }
            }
        }
    }

    [Fact]
    public void EveryAggregationAndDenominatorsOfAWholeBatch()
    {
        RolloutBatchSingle batch = RandomBatches.Make(9, 40, 7, edges: false).ToSingle();
        foreach (LossAggregationKind kind in ObjectiveWords.Aggregations)
        {
            PolicyObjectiveOptions options = PolicyObjectiveOptions.Default with { Aggregation = kind };
            Compare(device.Interpreted, batch, options, kind.Word(), new LossDenominators(70, 60, 5000));
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void TheShippedCasesHaveTheBitsOfVector512(string name)
    {
        IcePopCaseFile shipped = IcePopCases.Load(name);
        Assert.True(DeviceObjective.Supports(shipped.Options), $"{name}: {shipped.Options}");
        Compare(device.Interpreted, shipped.SingleBatch(), shipped.Options, name);
    }

    [Fact]
    public void AnEmptyBatchHasNoLoss()
    {
        RolloutBatchSingle empty = new(0, 0, [], [], [], [], []);
        using DeviceObjective objective = new(device.OneWarp, empty);
        using DeviceMemory memory = new(device.OneWarp);
        Assert.Equal(0f, objective.ValueAndGradient(memory.Fresh(0)));
    }

    [Fact]
    public void OptionsWithoutAKernelAreRefused() => Assert.Throws<ArgumentException>(() => new DeviceObjective(
        device.OneWarp,
        RandomBatches.Make(2, 3, 1, edges: false).ToSingle(),
        PolicyObjectiveOptions.Default with { Correction = new NoCorrection() }));

    [Theory]
    [InlineData(36, 1.0)]
    [InlineData(37, 0.6)]
    public void FromLogitsInPlaceToTheirGradient(int vocabulary, double temperature)
    {
        foreach (KernelHost host in new[] { device.TwoWarps, device.Interpreted })
        {
            PolicyObjectiveOptions options = PolicyObjectiveOptions.Default with { Temperature = temperature };
            RolloutBatch drawn = RandomBatches.Make(4, 9, vocabulary, edges: false);
            float[] logits = TestValues.Spread(36 * vocabulary, vocabulary, binades: 1), current = new float[36];
            Random random = new(vocabulary);
            long[] tokens = [.. Enumerable.Range(0, 36).Select(_ => random.NextInt64(vocabulary))];

            // The policy has moved a little from the weights of the rollout, so that ratios fall on both sides.
            TokenLogProbability.Apply(ExecutionEngine.Vector512, logits, tokens, (float)temperature, current);
            float[] old = Array.ConvertAll(current, value => value + (0.6f * (random.NextSingle() - 0.5f)));
            float[] inference = Array.ConvertAll(old, value => value + (2f * (random.NextSingle() - 0.5f)));
            RolloutBatchSingle batch = new(
                4,
                9,
                current,
                old,
                inference,
                Array.ConvertAll(drawn.Advantages.ToArray(), value => (float)value),
                drawn.ResponseMask.ToArray());
            float[] upstream = new float[36], gradient = new float[logits.Length];
            float loss = PolicyObjective.ValueAndGradient(ExecutionEngine.Vector512, batch, upstream, options);
            TokenLogProbability.Backward(
                ExecutionEngine.Vector512, logits, tokens, (float)temperature, upstream, gradient);
            Assert.Contains(upstream, value => value != 0f);
            using DeviceMemory memory = new(host);
            using DeviceObjective objective = new(host, batch, options);
            ArrayView<float> inPlace = memory.Upload(logits);
            Operators.Check.SameBits(
                [loss], [objective.ValueAndGradient(inPlace, memory.Upload(tokens))], "loss");
            Operators.Check.SameBits(gradient, memory.Read(inPlace), "gradient");
        }
    }

    private static void Compare(
        KernelHost host,
        RolloutBatchSingle batch,
        PolicyObjectiveOptions options,
        string axes,
        LossDenominators? denominators = null)
    {
        float[] expected = new float[batch.Rollouts * batch.ResponseLength];
        float loss = PolicyObjective.ValueAndGradient(
            ExecutionEngine.Vector512, batch, expected, options, denominators);
        using DeviceMemory memory = new(host);
        using DeviceObjective objective = new(host, batch, options, denominators);
        ArrayView<float> gradient = memory.Fresh(expected.Length);
        Operators.Check.SameBits([loss], [objective.ValueAndGradient(gradient)], axes + ": loss");
        Operators.Check.SameBits(expected, memory.Read(gradient), axes + ": gradient");
    }
}
