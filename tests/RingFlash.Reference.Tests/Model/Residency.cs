// Red means: a model that does not fit into memory computes other numbers, takes more memory than it was allowed, reads
// experts that nobody was routed to, or dies of a file that shrinks.
using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Diagnostics.CodeAnalysis;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Tests.Checkpoint;
using Xunit;

namespace RingFlash.Reference.Tests.Model;

public sealed class Residency
{
    private const int Prompt = 17, Decoded = 3;

    // Twenty-four experts, so that most of them are missing at a tight limit and come in more than one batch.
    private static readonly (string Key, object? Value)[] Changes =
        [("num_experts", 24), ("num_hidden_layers", 4), ("num_experts_per_tok", 4)];

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void Every_limit_gives_the_same_bits_and_is_kept(bool bfloat16, bool float8)
    {
        ModelConfiguration configuration =
            TinyModels.Read([.. Changes, ("quantization_config", float8 ? TinyModels.Float8Blocks : null)]);
        using WorkerPool workers = new(2);
        using CountingSource source = new(TinyModels.Source(configuration));
        ModelWeights weights = new(source, configuration, bfloat16);
        ForwardResult<float>[] expected = Decode(configuration, weights, workers, bfloat16);
        long least = WeightResidency.SmallestLimit(weights), all = weights.Products().Sum(matrix => matrix.PackedBytes);
        Assert.InRange(least, 1, (long)(0.9 * all));
        List<long> readBytes = [];
        foreach (long limit in new[] { least, least + ((all - least) / 3), all - 1, all, long.MaxValue })
        {
            using WeightResidency residency = new(weights, limit, 2);
            ForwardResult<float>[] actual = Decode(configuration, weights, workers, bfloat16);
            AssertSame(expected, actual);
            Assert.InRange(residency.PeakBytes, all / 10, limit);
            if (limit == least || limit >= all)
            {
                Assert.Equal(limit >= all, IsResident(residency, weights));
            }

            readBytes.Add(residency.ReadBytes);
        }

        Assert.True(readBytes[0] > readBytes[1] && readBytes[1] > readBytes[^1], string.Join(' ', readBytes));
        Assert.Equal(readBytes[^2], readBytes[^1]);
        Assert.All(weights.Products(), matrix => Assert.Null(matrix.Panels));
        AssertSame(expected, Decode(configuration, weights, workers, bfloat16));
    }

    [Fact]
    public void What_is_resident_is_read_once_and_unrouted_experts_never()
    {
        ModelConfiguration configuration = TinyModels.Read(Changes);
        using WorkerPool workers = new(2);
        using CountingSource source = new(TinyModels.Source(configuration));
        ModelWeights weights = new(source, configuration, roundToBFloat16: false);
        using WeightResidency residency = new(weights, long.MaxValue, 2);
        RingFlashModel<float> model = new(
            configuration, weights, new Float32Operators<Float32Precision>(ExecutionEngine.Vector512, workers));
        Recorder<float> taps = new();
        source.Panels.Clear();
        ForwardInput input = new(TinyModels.Ids(configuration, 2), 1);
        model.Forward(input, null, taps);
        HashSet<string> routed =
        [
            .. taps.Choices.SelectMany(choice => choice.Value.Indices.Select(expert =>
                $"{choice.Key[..^".gate.topk_idx".Length]}.experts.{expert}.up_proj.weight")),
        ];
        string[] read = [.. source.Panels.Keys.Where(name => name.EndsWith("up_proj.weight", StringComparison.Ordinal)
            && name.Contains(".experts.", StringComparison.Ordinal))];
        Assert.InRange(routed.Count, 8, (4 * 24) - 1);
        Assert.Equal(routed.Order(StringComparer.Ordinal), read.Order(StringComparer.Ordinal));

        source.Panels.Clear();
        model.Forward(input); // the same tokens and so the same experts
        Assert.Empty(source.Panels);
    }

    [Fact]
    public void Codes_that_do_not_fit_their_format_are_read_as_they_are_used()
    {
        // NaN among e4m3 codes has no packed form of its size; the limit must hold all the same.
        ModelConfiguration configuration =
            TinyModels.Read([.. Changes, ("quantization_config", TinyModels.Float8Blocks)]);
        using WorkerPool workers = new(2);
        using CountingSource source = new(TinyModels.Source(configuration))
        {
            Broken = "model.layers.2.attention.dense.weight",
        };
        ModelWeights weights = new(source, configuration, roundToBFloat16: false);
        ForwardResult<float>[] expected = Decode(configuration, weights, workers, bfloat16: false);
        Assert.Contains(expected[0].Logits.Values, float.IsNaN);
        using WeightResidency residency = new(weights, long.MaxValue, 2);
        AssertSame(expected, Decode(configuration, weights, workers, bfloat16: false));
        Assert.Null(weights.Layer(2).Dense.Panels);
        Assert.NotNull(weights.Layer(3).Dense.Panels);
    }

    [Fact]
    public void Too_small_a_limit_names_what_is_needed()
    {
        ModelConfiguration configuration = TinyModels.Read(Changes);
        ModelWeights weights = TinyModels.Weights(configuration);
        long least = WeightResidency.SmallestLimit(weights);
        EnvironmentException exception =
            Assert.Throws<EnvironmentException>(() => new WeightResidency(weights, least - 1, 1));
        Assert.Contains($"{least} are needed", exception.Message, StringComparison.Ordinal);
        Assert.Null(weights.Residency);
        using WeightResidency enough = new(weights, least, 1);
        Assert.Same(enough, weights.Residency);
    }

    [Theory]
    [InlineData(0.2, false)]
    [InlineData(0.5, false)]
    [InlineData(0.9, false)]
    [InlineData(0.2, true)]
    [InlineData(0.9, true)]
    public async Task A_file_that_shrinks_is_one_clean_error(double share, bool resident)
    {
        using TemporaryFolder folder = new();
        ModelConfiguration configuration = TinyModels.Read(Changes);
        using SyntheticSource synthetic = new("tiny", 11, [.. TensorCatalog.For(configuration)]);
        string path = folder.File("model.safetensors");
        SafetensorsWriter.Write(path, [.. synthetic.Tensors
            .Where(tensor => tensor.Name != "model.word_embeddings.weight") // looked up first, and would fail first
            .Select(tensor => SafetensorsContent.FromSource(synthetic, tensor, ElementType.Float32))]);
        using OverlaySource source = new(CheckpointFolder.Open(folder.Path), synthetic);
        ModelWeights weights = new(source, configuration, roundToBFloat16: false);
        using WorkerPool workers = new(2);
        long limit = resident ? long.MaxValue : WeightResidency.SmallestLimit(weights);
        using WeightResidency residency = new(weights, limit, 2);
        RingFlashModel<float> model = new(
            configuration, weights, new Float32Operators<Float32Precision>(ExecutionEngine.Vector512, workers));
        ForwardInput input = new(TinyModels.Ids(configuration, Prompt), 1);
        ModelWeights untouched = new(synthetic, configuration, roundToBFloat16: false);
        float[] whole = new RingFlashModel<float>(
            configuration, untouched, new Float32Operators<Float32Precision>(ExecutionEngine.Vector512, workers))
            .Forward(input).Logits.Values;
        byte[] bytes = File.ReadAllBytes(path);
        File.WriteAllBytes(path, bytes[..(int)(share * bytes.Length)]);
        EnvironmentException exception = Assert.Throws<EnvironmentException>(() => model.Forward(input));
        Assert.Contains(path, exception.Message, StringComparison.Ordinal);
        Assert.Contains("the file shrank while it was read", exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', exception.Message);

        // Nothing is left in an odd state: with the bytes back, the same model goes on.
        await Record.ExceptionAsync(() => residency.LastRead); // it may fail once more
        File.WriteAllBytes(path, bytes);
        Runs.AssertSameBits("logits", whole, model.Forward(input).Logits.Values);
    }

    // A folder of `ringflash synth --config ring-mini-2.0 --dtype bf16`, 32 GB: RINGFLASH_MINI=/tmp/mini, and
    // RINGFLASH_MINI_GB the limit for weights. Prefill and decode give the bits of weights made as they are used.
    [Fact(Explicit = true)]
    public void A_model_larger_than_memory_decodes()
    {
        string folder = Environment.GetEnvironmentVariable("RINGFLASH_MINI")!;
        double gigabytes = double.Parse(
            Environment.GetEnvironmentVariable("RINGFLASH_MINI_GB")!,
            System.Globalization.CultureInfo.InvariantCulture);
        using CheckpointFolder checkpoint = CheckpointFolder.Open(folder);
        ModelConfiguration configuration = ConfigurationReader.ReadFile(Path.Combine(folder, "config.json"));
        using WorkerPool workers = new(Environment.ProcessorCount);
        ModelWeights weights = new(checkpoint, configuration, roundToBFloat16: false);
        WeightResidency residency = new(weights, (long)(gigabytes * 1e9), workers.ThreadCount);
        long before = System.Diagnostics.Stopwatch.GetTimestamp();
        ForwardResult<float>[] streamed = Decode(configuration, weights, workers, bfloat16: false, step =>
        {
            TestContext.Current.TestOutputHelper!.WriteLine(
                $"pass {step}: {System.Diagnostics.Stopwatch.GetElapsedTime(before).TotalSeconds:0.0} s, "
                + $"{residency.ReadBytes / 1e9:0.00} GB read, {residency.HeldBytes / 1e9:0.00} GB held");
            before = System.Diagnostics.Stopwatch.GetTimestamp();
        });
        using System.Diagnostics.Process process = System.Diagnostics.Process.GetCurrentProcess();
        TestContext.Current.TestOutputHelper!.WriteLine($"peak resident set {process.PeakWorkingSet64 / 1e9:0.00} GB");
        Assert.InRange(residency.PeakBytes, 1, (long)(gigabytes * 1e9));
        Assert.InRange(process.PeakWorkingSet64, 1, (long)((gigabytes * 1e9) + ForwardMemory.Program));
        residency.Dispose();
        using SyntheticSource synthetic = new("mini", 0, [.. TensorCatalog.For(configuration)]);
        AssertSame(
            Decode(configuration, new ModelWeights(synthetic, configuration, false), workers, bfloat16: false),
            streamed);
    }

    private static ForwardResult<float>[] Decode(
        ModelConfiguration configuration,
        ModelWeights weights,
        WorkerPool workers,
        bool bfloat16,
        Action<int>? afterPass = null)
    {
        ForwardOperators<float> operators = bfloat16
            ? new Float32Operators<BFloat16Precision>(ExecutionEngine.Vector512, workers)
            : new Float32Operators<Float32Precision>(ExecutionEngine.Vector512, workers);
        RingFlashModel<float> model = new(configuration, weights, operators);
        KeyValueCache<float> cache = new(configuration, 1, Prompt + Decoded);
        long[] ids = TinyModels.Ids(configuration, Prompt + Decoded);
        ForwardResult<float>[] results = new ForwardResult<float>[Decoded + 1];
        for (int pass = 0; pass < results.Length; pass++)
        {
            long[] piece = pass == 0 ? ids[..Prompt] : [ids[Prompt + pass - 1]];
            results[pass] = model.Forward(new ForwardInput(piece, 1), cache).Kept();
            afterPass?.Invoke(pass);
        }

        return results;
    }

    private static void AssertSame(ForwardResult<float>[] expected, ForwardResult<float>[] actual)
    {
        Assert.Equal(Decoded + 1, actual.Length);
        for (int pass = 0; pass < actual.Length; pass++)
        {
            Runs.AssertSameBits($"logits {pass}", expected[pass].Logits.Values, actual[pass].Logits.Values);
            Runs.AssertSameBits(
                $"mtp {pass}",
                expected[pass].MultiTokenLogits?.Values ?? [],
                actual[pass].MultiTokenLogits?.Values ?? []);
        }
    }

    private static bool IsResident(WeightResidency residency, ModelWeights weights) =>
        weights.Products().Where(matrix => matrix.Panels is not null).Sum(matrix => matrix.Panels!.ByteCount)
        == residency.ReadBytes;

    /// <summary>Notes which tensors were read as panels, and can break one.</summary>
    private sealed class CountingSource(IWeightSource inner) : IWeightSource
    {
        public ConcurrentDictionary<string, int> Panels { get; } = new();

        public string? Broken { get; init; }

        public string Description => inner.Description;

        public IReadOnlyCollection<TensorInfo> Tensors => inner.Tensors;

        public bool TryGetTensor(string name, [NotNullWhen(true)] out TensorInfo? tensor) =>
            inner.TryGetTensor(name, out tensor);

        public void Read(TensorInfo tensor, long firstElement, Span<float> destination) =>
            inner.Read(tensor, firstElement, destination);

        public void ReadPanel(TensorInfo tensor, long firstRow, long firstColumn, int columnCount, Span<float> panel)
        {
            Panels.AddOrUpdate(tensor.Name, 1, (_, count) => count + 1);
            inner.ReadPanel(tensor, firstRow, firstColumn, columnCount, panel);
            if (tensor.Name == Broken && firstRow == 0 && firstColumn == 0)
            {
                panel[0] = float.NaN;
            }
        }

        public void Dispose() => inner.Dispose();
    }
}
