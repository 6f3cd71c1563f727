// Red means: the forward pass is further from the truth than the published code, or rounds to bfloat16 at other points.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.Json;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using Xunit;

namespace RingFlash.Reference.Tests.Model;

/// <summary>
/// The small golden cases without the verifier. The yardstick is the float64 oracle on the same weights; both the
/// published float32 code (the golden) and ours are measured against it.
/// </summary>
public sealed class Goldens(ITestOutputHelper output)
{
    [Theory]
    [InlineData("tiny-f32")]
    [InlineData("tiny-padded-f32")]
    [InlineData("tiny-yarn-f32")]
    [InlineData("tiny-fp8-f32")]
    public void Our_error_is_not_larger_than_the_published_codes(string name)
    {
        using Case golden = Case.Open(name);
        using WorkerPool workers = new(2);
        ModelWeights weights = new(golden.Source, golden.Configuration, roundToBFloat16: false);
        Float32Operators<Float32Precision> operators = new(ExecutionEngine.Vector512, workers);
        Run<float> ours = Runs.Of(golden.Configuration, weights, operators, golden.Input);
        Run<double> oracle = Runs.Of(golden.Configuration, weights, new Float64Operators(workers), golden.Input);

        // Inverse frequencies may differ by an ulp, so each side is measured against an oracle with its own rotary
        // tables; the tables themselves are compared on the way.
        Recorder<double> withTheirTables = new();
        foreach (string table in RotaryTaps)
        {
            withTheirTables.Replacements.Add(table, Array.ConvertAll(golden.Singles(table), value => (double)value));
            AssertRotaryTables(table, golden, ours.Taps.Tensors[table]);
        }

        Run<double> goldenOracle = Runs.Of(
            golden.Configuration, weights, new Float64Operators(workers), golden.Input, recorder: withTheirTables);
        List<(string Tap, double Ours, double Golden)> errors = [];
        foreach (string tap in ours.Taps.Names.Where(golden.Has).Except(RotaryTaps))
        {
            if (ours.Taps.Choices.TryGetValue(tap, out (int[] Indices, int TopK) choice))
            {
                Assert.Equal(golden.Integers(tap), choice.Indices.Select(index => (long)index));
                Assert.Equal(oracle.Taps.Choices[tap].Indices, choice.Indices);
                continue;
            }

            errors.Add((
                tap,
                OracleComparison.RelativeError(ours.Single(tap), oracle.Taps.Tensors[tap].Values),
                OracleComparison.RelativeError(golden.Singles(tap), goldenOracle.Taps.Tensors[tap].Values)));
        }

        foreach ((string tap, double ourError, double goldenError) in errors.OrderByDescending(e => e.Ours / e.Golden))
        {
            output.WriteLine($"{ourError / goldenError,6:F2}  ours {ourError:E2}  golden {goldenError:E2}  {tap}");
        }

        if (golden.Input.Labels is long[] labels)
        {
            double loss = Reference.Operators.CrossEntropy.Exact(
                Array.ConvertAll(ours.Result.MultiTokenLogits!.Values, value => (double)value),
                Reference.Operators.CrossEntropy.MultiTokenTargets(labels, golden.Input.Tokens));
            double exact = oracle.Taps.Tensors["mtp.0.loss"].Values[0];
            output.WriteLine($"MTP loss of our logits without rounding: error {Math.Abs((loss / exact) - 1):E2}");
        }

        output.WriteLine($"geometric mean of the ratios {GeometricMean(errors):F3}");
        Assert.True(errors.Count >= 75, $"{errors.Count} results compared");
        Assert.InRange(GeometricMean(errors), 0, 1.02);
        foreach ((string tap, double ourError, double goldenError) in errors)
        {
            // A loss is one number, not a norm over many: the golden's own error may be zero by luck. Its mean passes
            // eight roundings (one addition in a stripe, five in the tree, log-sum-exp, division): √8·u at random.
            double floor = tap.EndsWith("loss", StringComparison.Ordinal) ? Math.Sqrt(8) / (1 << 24) : 0;
            Assert.True(
                ourError <= Math.Max(1.5 * goldenError, floor),
                $"{tap}: ours {ourError:E2}, golden {goldenError:E2}");
        }
    }

    private static readonly string[] RotaryTaps = ["model.rotary_emb.cos", "model.rotary_emb.sin"];

    private static double GeometricMean(List<(string Tap, double Ours, double Golden)> errors) => Math.Exp(errors
        .Where(e => e.Ours > 0 && e.Golden > 0 && !e.Tap.EndsWith("loss", StringComparison.Ordinal))
        .Average(e => Math.Log(e.Ours / e.Golden)));

    /// <summary>
    /// Frequencies, and so angles, are equal to the bit (RotaryTable's page). Each side rounds a cosine of at most 1
    /// once, torch to 1 ulp (2·u), and once more for the scaling (at most 1.14): 5·u, times the scaling.
    /// </summary>
    private static void AssertRotaryTables(string tap, Case golden, HostTensor<float> ours)
    {
        float[] theirs = golden.Singles(tap);
        Assert.Equal(theirs.Length, ours.Values.Length);
        for (int index = 0; index < theirs.Length; index++)
        {
            double difference = Math.Abs((double)theirs[index] - ours.Values[index]);
            Assert.InRange(difference, 0, 5 * 1.14 / (1 << 24));
        }
    }

    [Fact]
    public void Bfloat16_rounds_where_the_published_code_rounds()
    {
        using Case golden = Case.Open("tiny-bf16");
        using WorkerPool workers = new(2);
        ModelWeights weights = new(golden.Source, golden.Configuration, roundToBFloat16: true);
        Float32Operators<BFloat16Precision> operators = new(ExecutionEngine.Vector512, workers);
        Run<float> ours = Runs.Of(golden.Configuration, weights, operators, golden.Input);
        int early = 0, different = 0, compared = 0;
        foreach (string tap in ours.Taps.Names.Where(golden.Has))
        {
            if (ours.Taps.Choices.TryGetValue(tap, out (int[] Indices, int TopK) choice))
            {
                Assert.Equal(golden.Integers(tap), choice.Indices.Select(index => (long)index));
                continue;
            }

            float[] expected = golden.Singles(tap), actual = ours.Single(tap);
            if (!golden.IsBFloat16(tap))
            {
                continue; // the router and the losses are float32: held by the oracle comparisons
            }

            int differing =
                expected.Zip(actual).Count(pair => UlpDistance.BetweenBFloat16(pair.First, pair.Second) != 0);
            Assert.All(actual, value => Assert.Equal(BFloat16.Round(value), value));
            compared += expected.Length;
            different += differing;
            bool isEarly = Enumerable.Range(0, 3).Any(layer =>
                tap.StartsWith($"model.layers.{layer}.", StringComparison.Ordinal));
            early += isEarly ? differing : 0;
            if (differing > 0)
            {
                long steps = expected.Zip(actual).Max(pair => UlpDistance.BetweenBFloat16(pair.First, pair.Second));
                output.WriteLine($"{differing,6} of {expected.Length,6} differ, by at most {steps} steps: {tap}");
            }
        }

        output.WriteLine($"{different} of {compared} bfloat16 numbers differ, {early} of them in layers 0 to 2");
        Assert.True(compared > 200_000, $"{compared} numbers compared");
        Assert.InRange(early, 0, 1);
    }

    private sealed class Case : IDisposable
    {
        private readonly SafetensorsFile file;

        private Case(string name)
        {
            string folder = Path.Combine(RepositoryRoot.Golden, name);
            file = SafetensorsFile.Open(Path.Combine(folder, "golden.safetensors"));
            Configuration = ConfigurationReader.ReadFile(Path.Combine(folder, "config.json"));
            using JsonDocument json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "case.json")));
            ulong seed = ulong.Parse(json.RootElement.GetProperty("seed").GetString()!, CultureInfo.InvariantCulture);
            IWeightSource synthetic = new SyntheticSource(name, seed, [.. TensorCatalog.For(Configuration)]);
            Source = Configuration.Quantization is null ? synthetic : new OverlaySource(file, synthetic, "weights.");
            int batch = (int)file.RequireTensor("input_ids").Shape[0];
            Input = new ForwardInput(Integers("input_ids"), batch)
            {
                AttentionMask = Integers("attention_mask"),
                Positions = Integers("position_ids"),
                Labels = Has("labels") ? Integers("labels") : null,
            };
        }

        public ModelConfiguration Configuration { get; }

        public IWeightSource Source { get; }

        public ForwardInput Input { get; }

        public static Case Open(string name) => new(name);

        public bool Has(string tap) => file.TryGetTensor(tap, out _);

        public bool IsBFloat16(string tap) => file.RequireTensor(tap).ElementType == ElementType.BFloat16;

        public long[] Integers(string tap) => file.ReadInt64(file.RequireTensor(tap));

        public float[] Singles(string tap) => file.ReadAllSingle(file.RequireTensor(tap));

        public void Dispose()
        {
            Source.Dispose();
            file.Dispose();
        }
    }
}
