using System;
using System.Collections.Generic;
using ILGPU;
using ILGPU.Runtime;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Model;

/// <summary>
/// The operators as kernels on a device. Weights, activations and the cache stay there; a tensor comes to the host when
/// somebody asks for its values: the logits of a token, or all that a trace wants to see.
/// </summary>
/// <remarks>
/// Once the experts of all layers are there, the host launches a whole pass without waiting: nothing that a later
/// operator needs is asked for.
/// </remarks>
/// <typeparam name="TPrecision">Float32 or bfloat16 rounding points.</typeparam>
public sealed partial class DeviceOperators<TPrecision> : Float32Operators<TPrecision>
    where TPrecision : struct, IPrecision
{
    /// <summary>What the CPU accelerator may keep: it is there for small models.</summary>
    private const long MostBytesOnTheHost = 1L << 30;

    private readonly KernelHost host;
    private readonly WorkerPool workers;
    private readonly bool quantiseActivations;
    private readonly DeviceConstants constants;
    private HostTensor<float>? scratch; // of attention

    /// <summary>Chooses the device.</summary>
    /// <param name="host">The device, which the caller keeps open.</param>
    /// <param name="workers">The threads that read weights, and those of the host's operators.</param>
    /// <param name="quantiseActivations">The fp8 policy with dynamic activations.</param>
    public DeviceOperators(KernelHost host, WorkerPool workers, bool quantiseActivations = false)
        : base(ExecutionEngine.Vector512, workers, quantiseActivations)
    {
        ArgumentNullException.ThrowIfNull(host);
        this.host = host;
        this.workers = workers;
        this.quantiseActivations = quantiseActivations;

        // A tenth of a card is left to activations, the cache and the driver.
        long limit = host.IsCuda ? host.Accelerator.MemorySize / 10 * 9 : MostBytesOnTheHost;
        constants = new DeviceConstants(host, workers, limit);
    }

    /// <inheritdoc/>
    public override string EngineName =>
        (host.IsCuda ? ExecutionEngine.Cuda : ExecutionEngine.IlgpuCpu).Word();

    /// <inheritdoc/>
    public override HostTensor<float> TokenEmbedding(long[] ids, int batch, WeightMatrix table)
    {
        ArgumentNullException.ThrowIfNull(ids);
        ArgumentNullException.ThrowIfNull(table);
        Operators.TokenEmbedding.CheckIds(ids, table.Outputs);
        HostTensor<long> places = Result<long>(ids.Length);
        ids.CopyTo(places.Values, 0);
        HostTensor<float> hiddenStates = Result<float>(batch, ids.Length / batch, table.Inputs);
        Operators.TokenEmbedding.Launch(host, Read(places), constants.Matrix(table), Write(hiddenStates));
        return hiddenStates;
    }

    /// <inheritdoc/>
    public override (HostTensor<float> Cosine, HostTensor<float> Sine) RotaryTables(
        RotaryTable table, long[] positions, int batch)
    {
        ArgumentNullException.ThrowIfNull(table);
        ArgumentNullException.ThrowIfNull(positions);
        int rotaryDim = 2 * table.InverseFrequencies.Length;
        float[] cosines = new float[positions.Length * rotaryDim], sines = new float[cosines.Length];
        FillRotaryTables(table, positions, cosines, sines);
        return (Bring(cosines), Bring(sines));

        HostTensor<float> Bring(float[] values)
        {
            HostTensor<float> tensor = Result<float>(batch, positions.Length / batch, rotaryDim);
            DeviceMemory<float>.Bring(host, tensor.Storage, values);
            return tensor;
        }
    }

    /// <inheritdoc/>
    public override HostTensor<float> RmsNorm(HostTensor<float> x, float[] weight, float epsilon)
    {
        HostTensor<float> y = ResultLike(x);
        Operators.RmsNorm.Launch<TPrecision>(host, Read(x), constants.Vector(weight), epsilon, Write(y));
        return y;
    }

    /// <inheritdoc/>
    public override HostTensor<float> LinearProjection(HostTensor<float> x, WeightMatrix weight, float[] bias)
    {
        ArgumentNullException.ThrowIfNull(weight);
        if (TensorCores && !quantiseActivations && x.Rows >= FewestRowsForTensorCores)
        {
            return FastProduct(x, weight, bias);
        }

        HostTensor<float> y = Result(x, weight.Outputs);
        if (!quantiseActivations || weight is not Float8BlockMatrix)
        {
            return Product<TPrecision>(x, weight, bias, y);
        }

        HostTensor<float> codes = ResultLike(x);
        HostTensor<float> scales =
            Result<float>(x.Rows, (x.Width + Summation.BlockLength - 1) / Summation.BlockLength);
        Operators.LinearProjection.LaunchQuantised<TPrecision>(
            host, Read(x), constants.Matrix(weight), constants.Vector(bias), Write(codes), Write(scales), Write(y));
        return y;
    }

    /// <inheritdoc/>
    public override (HostTensor<float> Query, HostTensor<float> Key, HostTensor<float> Value) QueryKeyValueSplit(
        HostTensor<float> queryKeyValue, int heads, int keyValueHeads, int headDim)
    {
        ArgumentNullException.ThrowIfNull(queryKeyValue);
        int batch = queryKeyValue.Shape[0], tokens = queryKeyValue.Shape[1];
        HostTensor<float> query = Result<float>(batch, heads, tokens, headDim);
        HostTensor<float> key = Result<float>(batch, keyValueHeads, tokens, headDim);
        HostTensor<float> value = Result<float>(batch, keyValueHeads, tokens, headDim);
        Operators.QueryKeyValueSplit.Launch(
            host, Read(queryKeyValue), batch, heads, keyValueHeads, headDim, Write(query), Write(key), Write(value));
        return (query, key, value);
    }

    /// <inheritdoc/>
    public override void CopyTokens(
        HostTensor<float> source, int from, HostTensor<float> destination, int to, int count)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(destination);
        int batch = source.Shape[0], heads = source.Shape[1], width = source.Width;
        ArrayView<float> read = Read(source);
        if (to > 0)
        {
            Read(destination); // tokens that were written on the host
        }

        HeadCopy.Launch(
            host,
            read,
            HeadLayout.Dense(heads, source.Shape[2], width, from),
            Write(destination),
            HeadLayout.Dense(heads, destination.Shape[2], width, to),
            batch,
            heads,
            count,
            width);
    }

    /// <inheritdoc/>
    public override HostTensor<float> RouterLogits(HostTensor<float> x, WeightMatrix gate)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(gate);
        return Product<Float32Precision>(x, gate, [], Result<float>(x.Rows, gate.Outputs));
    }

    /// <inheritdoc/>
    public override HostTensor<float> RoutedExperts(
        HostTensor<float> x, RouterDecision<float> decision, SparseWeights experts)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(experts);
        ExpertWeights any = experts.Expert(0);
        bool quantise = quantiseActivations && any is { Gate: Float8BlockMatrix, Up: Float8BlockMatrix };
        if (quantiseActivations && quantise != any.Down is Float8BlockMatrix)
        {
            return base.RoutedExperts(x, decision, experts); // one kind each for the three products
        }

        DeviceExperts there = ExpertsOf(experts);
        HostTensor<float> outputs = Result<float>(x.Rows, decision.TopK, x.Width);
        IEnumerable<DeviceExperts> batches =
            there.IsComplete ? [there] : there.Batches(decision.TopKIndices, workers);
        if (quantise)
        {
            QuantisedExperts(x, decision, batches, any.Gate.Outputs, outputs);
        }
        else
        {
            PlainExperts(x, decision, batches, any.Gate.Outputs, experts.ExpertCount, outputs);
        }

        return outputs;
    }

    /// <inheritdoc/>
    public override HostTensor<float> ExpertCombine(HostTensor<float> expertOutputs, RouterDecision<float> decision)
    {
        ArgumentNullException.ThrowIfNull(expertOutputs);
        HostTensor<float> y = Result<float>(expertOutputs.Shape[0], expertOutputs.Width);
        Operators.ExpertCombine.Launch<TPrecision>(
            host, Read(expertOutputs), Read(decision.TopKWeights), decision.TopK, Write(y));
        return y;
    }

    /// <inheritdoc/>
    public override HostTensor<float> SwiGlu(HostTensor<float> gate, HostTensor<float> up)
    {
        HostTensor<float> y = ResultLike(gate);
        Operators.SwiGlu.Launch<TPrecision>(host, Read(gate), Read(up), Write(y));
        return y;
    }

    /// <inheritdoc/>
    public override HostTensor<float> ResidualAdd(HostTensor<float> residual, HostTensor<float> update)
    {
        HostTensor<float> y = ResultLike(residual);
        Operators.ResidualAdd.Launch<TPrecision>(host, Read(residual), Read(update), Write(y));
        return y;
    }

    /// <inheritdoc/>
    public override HostTensor<float> Concatenate(HostTensor<float> first, HostTensor<float> second)
    {
        ArgumentNullException.ThrowIfNull(first);
        ArgumentNullException.ThrowIfNull(second);
        HostTensor<float> joined = Result(first, first.Width + second.Width);
        ArrayView<float> to = Write(joined);
        Copy(first, 0);
        Copy(second, first.Width);
        return joined;

        void Copy(HostTensor<float> part, int column) => HeadCopy.Launch(
            host,
            Read(part),
            HeadLayout.Dense(1, part.Rows, part.Width),
            to,
            new HeadLayout(column, 0, 0, joined.Width),
            1,
            1,
            part.Rows,
            part.Width);
    }

    private DeviceExperts ExpertsOf(SparseWeights experts) =>
        constants.Experts(experts, experts.ExpertCount, index =>
        {
            ExpertWeights expert = experts.Expert(index);
            return (expert.Gate, expert.Up, expert.Down);
        });

    private HostTensor<float> Product<TRounding>(
        HostTensor<float> x, WeightMatrix weight, float[] bias, HostTensor<float> y)
        where TRounding : struct, IPrecision
    {
        Operators.LinearProjection.Launch<TRounding>(
            host, Read(x), constants.Matrix(weight), constants.Vector(bias), Write(y));
        return y;
    }

    private ArrayView<T> Read<T>(HostTensor<T> tensor)
        where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(tensor);
        return DeviceMemory<T>.Read(host, tensor.Storage);
    }

    private ArrayView<T> Write<T>(HostTensor<T> tensor)
        where T : unmanaged => DeviceMemory<T>.Write(host, tensor.Storage);
}
