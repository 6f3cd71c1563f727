using System;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Benchmarks;

/// <summary>
/// A few layers of a model with every weight resident: the first dense layers and some sparse ones, fewer experts (with
/// as many chosen), and a vocabulary cut to keep the head's share of the work.
/// </summary>
internal sealed class ModelSlice : IDisposable
{
    private readonly ModelWeights weights;

    /// <summary>Makes the weights and packs them.</summary>
    /// <param name="configuration">From <see cref="Cut"/>, or any other small one.</param>
    /// <param name="workers">The threads.</param>
    public ModelSlice(ModelConfiguration configuration, WorkerPool workers)
    {
        Configuration = configuration;
        SyntheticSource source = new("benchmark", 1, [.. TensorCatalog.For(configuration)]);
        weights = new ModelWeights(source, configuration, roundToBFloat16: false);
        weights.Pack(workers);
    }

    /// <summary>The sizes.</summary>
    public ModelConfiguration Configuration { get; }

    /// <summary>Memory that the weights take.</summary>
    public long WeightBytes => weights.Products().Sum(matrix => matrix.Panels!.ByteCount);

    /// <summary>Cuts a model.</summary>
    /// <param name="whole">The model.</param>
    /// <param name="sparseLayers">Sparse layers behind the dense ones.</param>
    /// <param name="experts">Experts of a sparse layer.</param>
    /// <returns>The slice's configuration.</returns>
    public static ModelConfiguration Cut(ModelConfiguration whole, int sparseLayers, int experts)
    {
        int layers = whole.FirstDenseLayerCount + sparseLayers;
        return whole with
        {
            SourceName = $"{whole.SourceName}, {layers} layers",
            DeclaredLayerCount = layers,
            NextTokenPredictionLayerCount = 0,
            ExpertCount = experts,
            VocabularySize = Math.Max(32, whole.VocabularySize / whole.LayerCount * layers / 32 * 32),
        };
    }

    /// <summary>Weights that one token multiplies with, without the embedding table; all in bf16.</summary>
    /// <param name="configuration">The sizes.</param>
    /// <param name="expertsPerLayer">Experts that a sparse layer runs; the chosen ones for one token.</param>
    /// <returns>The number.</returns>
    public static double ActiveWeights(ModelConfiguration configuration, int expertsPerLayer)
    {
        ParameterCounts counts = ParameterCounts.For(configuration);
        double experts = counts.Parts.Where(part => part.Part == ModelPart.RoutedExperts).Sum(part => part.Total);
        return counts.ActiveWithEmbeddings
            - counts.Parts.Where(part => part.Part is ModelPart.Embedding or ModelPart.RoutedExperts)
                .Sum(part => part.Active)
            + (experts / configuration.ExpertCount * expertsPerLayer);
    }

    /// <summary>Memory that all weights take in bf16.</summary>
    /// <param name="configuration">The sizes.</param>
    /// <returns>Bytes.</returns>
    public static long ResidentBytes(ModelConfiguration configuration) =>
        (long)(2 * ActiveWeights(configuration, configuration.ExpertCount));

    /// <summary>The model on an engine.</summary>
    /// <param name="engine">Who computes.</param>
    /// <param name="workers">The threads.</param>
    /// <returns>It.</returns>
    public RingFlashModel<float> On(ExecutionEngine engine, WorkerPool workers) =>
        new(Configuration, weights, new Float32Operators<Float32Precision>(engine, workers));

    /// <summary>Some tokens.</summary>
    /// <param name="count">How many.</param>
    /// <param name="seed">Names them.</param>
    /// <returns>The ids.</returns>
    public ForwardInput Tokens(int count, ulong seed) => new(
        [.. Enumerable.Range(0, count).Select(index =>
            (long)SyntheticSource.InputId(seed, index, Configuration.VocabularySize))],
        Batch: 1)
    {
        LastLogitsOnly = true,
    };

    /// <inheritdoc/>
    public void Dispose() => weights.Unpack();
}
