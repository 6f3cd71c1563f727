using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Threading.Tasks;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Model;

/// <summary>
/// Keeps as many of a model's weights in memory as a limit allows and streams the others. The bits do not depend on it.
/// </summary>
/// <remarks>
/// <para>1. What every token uses comes first: the head, then layer by layer attention, router, shared expert and dense
/// MLP. The rest of the limit goes to routed experts. Each is read at its first use, experts only when a token is
/// routed to them, and then stays. Layers are used in a circle, so dropping the least recently used would drop what
/// comes next.</para>
/// <para>2. What found no room is read for every use into buffers that are used again: while a layer computes, the next
/// one's dense matrices are read.</para>
/// <para>3. Once the router has decided, the missing experts of the layer are read, eight and eight, while those that
/// are there are multiplied: eight computing, eight on the way. The grouped products are row by row, so cutting the
/// experts into batches changes no bit.</para>
/// <para>4. One chain of reads on threads of their own, in the order in which the weights are wanted; all decisions are
/// taken on the caller's thread.</para>
/// <para>5. The limit counts all buffers, idle ones too. A matrix that has no place (e4m3 codes with NaN take four
/// times their size) is multiplied from its source, panel by panel.</para>
/// </remarks>
public sealed class WeightResidency : IDisposable
{
    private const int ExpertsTogether = 8;

    private readonly ModelWeights weights;
    private readonly PanelMemory memory;
    private readonly WorkerPool readers;
    private readonly ResidencyPart[] steps; // the dense parts in the order of a pass: layers, head, MTP layer
    private readonly List<ResidencyPart> experts = [];
    private readonly int head;
    private readonly long room; // for what is kept
    private long kept;
    private Task tail = Task.CompletedTask;

    /// <summary>Decides what is kept; reads nothing yet. A model uses it from here on, until it is disposed.</summary>
    /// <param name="weights">The weights; none of them packed.</param>
    /// <param name="byteLimit">The most bytes of weights in memory.</param>
    /// <param name="readerCount">The threads that read.</param>
    /// <exception cref="EnvironmentException">The limit is below <see cref="SmallestLimit"/>.</exception>
    public WeightResidency(ModelWeights weights, long byteLimit, int readerCount)
    {
        ArgumentNullException.ThrowIfNull(weights);
        if (weights.Residency is not null)
        {
            throw new InvalidOperationException("These weights have a residency already.");
        }

        Needs needs = Needs.Of(weights);
        if (byteLimit < needs.Least)
        {
            throw new EnvironmentException(
                "memory limit",
                string.Create(
                    CultureInfo.InvariantCulture, $"{byteLimit} bytes for weights, {needs.Least} are needed"));
        }

        this.weights = weights;
        steps = needs.Steps;
        head = weights.LayerCount;
        long streams = needs.All <= byteLimit ? 0 : needs.ExpertStream;
        long denseStream = needs.Dense + streams <= byteLimit ? 0 : needs.DenseStream;
        room = byteLimit - streams - denseStream;
        foreach (ResidencyPart step in steps.OrderByDescending(step => step == steps[head])) // else in order
        {
            Keep(step);
        }

        memory = new PanelMemory(byteLimit);
        readers = new WorkerPool(readerCount);
        weights.Residency = this;
        foreach (SparseWeights layer in weights.SparseLayers())
        {
            ResidencyPart?[] parts = new ResidencyPart?[layer.ExpertCount];
            layer.Batches = dispatch => AreHere(parts, dispatch) ? null : Batches(layer, parts, dispatch);
        }
    }

    /// <summary>The bytes of weights in memory, idle buffers included.</summary>
    public long HeldBytes => memory.HeldBytes;

    /// <summary>The most bytes that were ever held.</summary>
    public long PeakBytes => memory.PeakBytes;

    /// <summary>The bytes of weights that were ordered to be read, in the form they have in memory.</summary>
    public long ReadBytes { get; private set; }

    /// <summary>What was ordered last, done or not.</summary>
    internal Task LastRead => tail;

    /// <summary>
    /// The smallest limit: the head, two layers' dense matrices and sixteen experts; less if the model is smaller.
    /// </summary>
    /// <param name="weights">The weights.</param>
    /// <returns>Bytes.</returns>
    public static long SmallestLimit(ModelWeights weights) => Needs.Of(weights).Least;

    /// <summary>Waits for what is dense of a layer and orders the next one's to be read.</summary>
    /// <param name="index">0 … layers − 1, or the number of layers for the MTP layer.</param>
    public void EnterLayer(int index) => Enter(index < head ? index : head + 1);

    /// <summary>Waits for the head.</summary>
    public void EnterHead() => Enter(head);

    /// <inheritdoc/>
    public void Dispose()
    {
        if (weights.Residency != this)
        {
            return;
        }

        weights.Residency = null;
        foreach (SparseWeights layer in weights.SparseLayers())
        {
            layer.Batches = null;
        }

        foreach (ResidencyPart part in steps.Concat(experts))
        {
            part.Release(memory);
        }

        readers.Dispose();
        memory.Dispose();
    }

    private void Enter(int step)
    {
        int next = (step + 1) % steps.Length;
        foreach (ResidencyPart part in steps)
        {
            if (!part.IsKept && part != steps[step] && part != steps[next])
            {
                part.Release(memory);
            }
        }

        Read(steps[step]);
        Read(steps[next]);
        steps[step].Wait();
    }

    private static bool AreHere(ResidencyPart?[] parts, ExpertDispatch dispatch)
    {
        bool areHere = true;
        foreach (int expert in dispatch.ActiveExperts)
        {
            areHere &= parts[expert] is { IsHere: true };
        }

        return areHere;
    }

    private IEnumerable<ExpertDispatch> Batches(SparseWeights layer, ResidencyPart?[] parts, ExpertDispatch dispatch)
    {
        List<int> here = [], missing = [];
        for (int active = 0; active < dispatch.ActiveExperts.Length; active++)
        {
            (Part(active).IsHere ? here : missing).Add(active);
        }

        int[][] chunks = [.. missing.Chunk(ExpertsTogether)];
        try
        {
            Order(0);
            Order(1);
            if (here.Count > 0)
            {
                yield return dispatch.Only(here);
            }

            for (int index = 0; index < chunks.Length; index++)
            {
                foreach (int active in chunks[index])
                {
                    Part(active).Wait();
                }

                yield return dispatch.Only(chunks[index]);
                LetGo(chunks[index]);
                Order(index + 2);
            }
        }
        finally
        {
            LetGo(missing); // when the products failed half-way
        }

        ResidencyPart Part(int active)
        {
            int expert = dispatch.ActiveExperts[active];
            if (parts[expert] is ResidencyPart known)
            {
                return known;
            }

            ExpertWeights matrices = layer.Expert(expert);
            ResidencyPart part = new([matrices.Gate, matrices.Up, matrices.Down]);
            experts.Add(part);
            return parts[expert] = part;
        }

        void Order(int chunk)
        {
            foreach (int active in chunk < chunks.Length ? chunks[chunk] : [])
            {
                ResidencyPart part = Part(active);
                Keep(part);
                Read(part);
            }
        }

        void LetGo(IEnumerable<int> actives)
        {
            foreach (ResidencyPart part in actives.Select(Part).Where(part => !part.IsKept))
            {
                part.Release(memory);
            }
        }
    }

    private void Keep(ResidencyPart part)
    {
        if (!part.IsKept && kept + part.ByteCount <= room)
        {
            part.IsKept = true;
            kept += part.ByteCount;
        }
    }

    private void Read(ResidencyPart part)
    {
        ReadBytes += part.Read(memory, readers, ref tail) ? part.ByteCount : 0;
    }

    /// <summary>What a model's weights take.</summary>
    private sealed record Needs(ResidencyPart[] Steps, long Dense, long DenseStream, long ExpertStream, long All)
    {
        /// <summary>The head stays; two layers' dense parts and two batches of experts come and go.</summary>
        public required long Least { get; init; }

        public static Needs Of(ModelWeights weights)
        {
            ResidencyPart[] steps =
            [
                .. Enumerable.Range(0, weights.LayerCount).Select(index => new ResidencyPart(weights.Dense(index))),
                new ResidencyPart([weights.LanguageModelHead]),
                .. weights.MultiToken is null
                    ? Array.Empty<ResidencyPart>()
                    : [new ResidencyPart(weights.Dense(weights.LayerCount))],
            ];
            long head = steps[weights.LayerCount].ByteCount;
            long dense = steps.Sum(step => step.ByteCount);
            long denseStream = 2 * steps.Where((_, index) => index != weights.LayerCount).Max(step => step.ByteCount);
            long[] experts = [.. weights.SparseLayers().Select(layer => layer.ExpertBytes)];
            long expertStream = 2 * ExpertsTogether * experts.DefaultIfEmpty().Max();
            long all = dense + weights.SparseLayers().Sum(layer => layer.ExpertCount * layer.ExpertBytes);
            return new Needs(steps, dense, denseStream, expertStream, all)
            {
                Least = Math.Min(all, head + denseStream + expertStream),
            };
        }
    }
}
