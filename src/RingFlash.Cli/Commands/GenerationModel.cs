using System;
using System.IO;
using System.Threading.Tasks;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Generation;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Tokenization;
using RingFlash.Reference.Verification;

namespace RingFlash.Cli.Commands;

/// <summary>A model that is ready to generate: weights under a memory limit, tokenizer, stop tokens, engine.</summary>
internal sealed class GenerationModel : IAsyncDisposable
{
    private readonly ModelName model;
    private readonly WorkerPool workers;
    private readonly EngineOperators devices;
    private readonly WeightResidency? residency;

    private GenerationModel(
        ModelName model,
        WorkerPool workers,
        EngineOperators devices,
        WeightResidency? residency,
        GenerationEngine engine)
    {
        this.model = model;
        this.workers = workers;
        this.devices = devices;
        this.residency = residency;
        Engine = engine;
    }

    /// <summary>The engine.</summary>
    public GenerationEngine Engine { get; }

    /// <summary>The checkpoint folder; null for a synthetic model.</summary>
    public string? Folder => model.Folder;

    /// <summary>Starts a model.</summary>
    /// <param name="model">The opened model; disposed with this.</param>
    /// <param name="settings">How it is run.</param>
    /// <param name="tokenizer">The tokenizer; null to deal in ids alone.</param>
    /// <returns>The model.</returns>
    /// <exception cref="UsageException">The precision is unknown.</exception>
    /// <exception cref="EnvironmentException">The memory limit is too small.</exception>
    /// <exception cref="InvalidInputException">YaRN or the context do not fit the model.</exception>
    public static GenerationModel Start(ModelName model, GenerationSettings settings, ModelTokenizer? tokenizer)
    {
        bool underBFloat16 = settings.Precision switch
        {
            "float32" => false,
            "bfloat16" => true,
            _ => throw new UsageException(
                $"--precision: '{settings.Precision}' is not a precision; known are float32, bfloat16"),
        };
        ModelConfiguration configuration = settings.Yarn is double factor
            ? ContextLength.WithYarn(model.Configuration, factor)
            : model.Configuration;
        ModelWeights weights = new(model.Weights, configuration, underBFloat16);
        WorkerPool workers = new(Environment.ProcessorCount);
        EngineOperators devices = new();
        WeightResidency? residency = null;
        try
        {
            residency = settings.Engine.IsDevice()
                ? null
                : Residency(weights, configuration, settings, workers.ThreadCount);
            ForwardOperators<float> operators = devices.Create(settings.Engine, settings.Precision, workers);
            if (settings.Engine == ExecutionEngine.Cuda)
            {
                operators.Prepare(weights);
            }

            GenerationEngine engine = new(
                configuration,
                weights,
                operators,
                settings.Limits,
                tokenizer,
                model.Folder is null ? null : StopTokens.Of(model.Folder, configuration));
            return new GenerationModel(model, workers, devices, residency, engine);
        }
        catch
        {
            residency?.Dispose();
            devices.Dispose();
            workers.Dispose();
            throw;
        }
    }

    /// <summary>The tokenizer of a folder.</summary>
    /// <param name="model">The opened model.</param>
    /// <returns>The tokenizer; null where there is none.</returns>
    public static ModelTokenizer? TokenizerOf(ModelName model) =>
        model.Folder is not null && File.Exists(Path.Combine(model.Folder, "tokenizer.json"))
            ? ModelTokenizer.Load(Path.Combine(model.Folder, "tokenizer.json"))
            : null;

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await Engine.DisposeAsync().ConfigureAwait(false);
        residency?.Dispose();
        devices.Dispose();
        workers.Dispose();
        model.Dispose();
    }

    // Without a limit: three quarters of the machine, and the slow way if not even the least fits in.
    private static WeightResidency? Residency(
        ModelWeights weights, ModelConfiguration configuration, GenerationSettings settings, int threads)
    {
        GenerationLimits limits = settings.Limits;
        int rows = limits.PromptTokensPerPass + limits.RunningRequests;
        long others = ForwardMemory.Bytes(
            configuration, 1, rows, (int)Math.Min(settings.CachedTokens, int.MaxValue));
        if (settings.MemoryLimit is long limit)
        {
            return new WeightResidency(weights, ForwardMemory.ForWeights(limit, weights, others), threads);
        }

        long left = (GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 4 * 3) - others;
        return left < WeightResidency.SmallestLimit(weights) ? null : new WeightResidency(weights, left, threads);
    }
}

/// <summary>How a model is run, whoever asks it.</summary>
/// <param name="Precision"><c>float32</c> or <c>bfloat16</c>.</param>
/// <param name="Limits">What the engine takes on.</param>
/// <param name="Yarn">YaRN's factor; null for the model's own positions.</param>
/// <param name="MemoryLimit">Bytes in all; null for three quarters of the machine.</param>
internal sealed record GenerationSettings(string Precision, GenerationLimits Limits, double? Yarn, long? MemoryLimit)
{
    /// <summary>Who computes.</summary>
    public ExecutionEngine Engine { get; init; } = ExecutionEngine.Vector512;

    /// <summary>The most tokens that all caches together come to hold; their memory is not the weights'.</summary>
    public required long CachedTokens { get; init; }
}
