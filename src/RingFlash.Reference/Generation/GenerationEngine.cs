using System;
using System.Collections.Generic;
using System.Linq;
using System.Runtime.CompilerServices;
using System.Threading;
using System.Threading.Tasks;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Tokenization;

namespace RingFlash.Reference.Generation;

/// <summary>
/// Generates for many requests at once: one background loop takes the next tokens of all of them through the model
/// together. A request gets the same bits as alone, because no sum of the forward pass knows of other rows.
/// </summary>
/// <remarks>
/// Instances may be used from several threads. The operators, and the threads below them, belong to the engine until it
/// is disposed.
/// </remarks>
public sealed partial class GenerationEngine : IAsyncDisposable
{
    private readonly Lock gate = new();
    private readonly SemaphoreSlim wake = new(0);
    private readonly LinkedList<Sequence> waiting = new();
    private readonly List<Sequence> running = [];
    private readonly RingFlashModel<float> model;
    private readonly Task loop;
    private bool stopping;

    /// <summary>Starts an engine.</summary>
    /// <param name="configuration">The model.</param>
    /// <param name="weights">Its weights.</param>
    /// <param name="operators">Who computes.</param>
    /// <param name="limits">What is taken on at once.</param>
    /// <param name="tokenizer">For text and stop strings; null to deal in ids alone.</param>
    /// <param name="endOfSequenceIds">
    /// Tokens that end an output; null for those of <paramref name="configuration"/>. See <see cref="StopTokens"/>.
    /// </param>
    /// <exception cref="InvalidInputException">The context is longer than the model can do.</exception>
    public GenerationEngine(
        ModelConfiguration configuration,
        ModelWeights weights,
        ForwardOperators<float> operators,
        GenerationLimits limits,
        ModelTokenizer? tokenizer = null,
        IReadOnlyList<int>? endOfSequenceIds = null)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        ArgumentNullException.ThrowIfNull(limits);
        Configuration = configuration;
        Limits = limits;
        Tokenizer = tokenizer;
        EndOfSequenceIds = endOfSequenceIds ?? configuration.EndOfSequenceTokenIds;
        int longest = ContextLength.Of(configuration);
        ContextLimit = (int)Math.Min(limits.ContextTokens ?? longest, limits.CacheTokens ?? int.MaxValue);
        if (ContextLimit > longest || ContextLimit < 2)
        {
            throw new InvalidInputException(
                GenerationRequest.SourceName,
                "context",
                $"{ContextLimit} tokens are out of range 2 to {longest}{ContextAdvice}")
            {
                IsSetting = true,
            };
        }

        model = new RingFlashModel<float>(configuration, weights, operators);
        loop = Task.Factory.StartNew(
            Loop, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    /// <summary>The model.</summary>
    public ModelConfiguration Configuration { get; }

    /// <summary>What is taken on at once.</summary>
    public GenerationLimits Limits { get; }

    /// <summary>The tokenizer; null to deal in ids alone.</summary>
    public ModelTokenizer? Tokenizer { get; }

    /// <summary>Tokens that end an output unless a request ignores them.</summary>
    public IReadOnlyList<int> EndOfSequenceIds { get; }

    /// <summary>The most tokens of a sequence, prompt and output together.</summary>
    public int ContextLimit { get; }

    /// <summary>Sequences that are computed now, and those that wait.</summary>
    public (int Running, int Waiting) Load
    {
        get
        {
            lock (gate)
            {
                return (running.Count, waiting.Count);
            }
        }
    }

    /// <summary>What messages about a context that is too long end with.</summary>
    internal string ContextAdvice => ContextLength.Advice(Configuration);

    /// <summary>Takes several requests on, all or none.</summary>
    /// <param name="requests">The requests.</param>
    /// <param name="cancellation">
    /// Abandons them: their work stops within one layer, and their streams end with
    /// <see cref="OperationCanceledException"/>. Leaving a stream early abandons its request too.
    /// </param>
    /// <returns>A stream of events for each, to be read once; null when the queue has no room.</returns>
    /// <exception cref="InvalidInputException">A request asks what the model cannot do.</exception>
    /// <exception cref="ObjectDisposedException">The engine has been stopped.</exception>
    public IReadOnlyList<IAsyncEnumerable<GenerationEvent>>? TryGenerate(
        IReadOnlyList<GenerationRequest> requests, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(requests);
        foreach (GenerationRequest request in requests)
        {
            request.Check(this);
        }

        Sequence[] sequences;
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(stopping, this);
            int room = Limits.RunningRequests + Limits.WaitingRequests - running.Count - waiting.Count;
            if (requests.Count > room)
            {
                return null;
            }

            sequences = [.. requests.Select(request => new Sequence(this, request))];
            foreach (Sequence sequence in sequences)
            {
                waiting.AddLast(sequence);
            }

            wake.Release();
        }

        return [.. sequences.Select(sequence =>
        {
            sequence.ListenTo(cancellation);
            return Read(sequence);
        })];
    }

    /// <summary>Takes one request on.</summary>
    /// <param name="request">The request.</param>
    /// <param name="cancellation">Abandons it; see <see cref="TryGenerate"/>.</param>
    /// <returns>Its events, to be read once.</returns>
    /// <exception cref="InvalidInputException">The request asks what the model cannot do.</exception>
    /// <exception cref="InvalidOperationException">The queue is full.</exception>
    public IAsyncEnumerable<GenerationEvent> Generate(
        GenerationRequest request, CancellationToken cancellation = default) =>
        TryGenerate([request], cancellation)?[0]
        ?? throw new InvalidOperationException("the queue is full; TryGenerate answers null instead");

    /// <summary>Abandons all requests and waits for the loop to end.</summary>
    /// <returns>The wait.</returns>
    public async ValueTask DisposeAsync()
    {
        lock (gate)
        {
            stopping = true;
            passCancellation?.Cancel();
        }

        wake.Release();
        await loop.ConfigureAwait(false);
        wake.Dispose();
    }

    private static async IAsyncEnumerable<GenerationEvent> Read(
        Sequence sequence, [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        try
        {
            await foreach (GenerationEvent happened in
                sequence.Events.ReadAllAsync(cancellation).ConfigureAwait(false))
            {
                yield return happened;
            }
        }
        finally
        {
            sequence.Leave(); // nothing if it is finished
        }
    }
}
