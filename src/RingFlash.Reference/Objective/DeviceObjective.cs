using System;
using System.Collections.Generic;
using ILGPU;
using ILGPU.Runtime;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Objective;

/// <summary>
/// The published objective on a device: a batch that was uploaded once, its loss and gradient, from log-probabilities
/// or from logits. The bits of <see cref="PolicyObjective.ValueAndGradient"/>.
/// </summary>
/// <remarks>
/// From logits three launches do all: the log-probabilities of the tokens (<see cref="TokenLogProbability"/>), this
/// objective, and the gradient, which takes the place of the logits. What is left to the host is a number per response:
/// the terms are sorted there and added, and that is the only time it waits.
/// </remarks>
public sealed partial class DeviceObjective : IDisposable
{
    private readonly KernelHost host;
    private readonly PolicyObjectiveOptions options;
    private readonly KernelArguments arguments;
    private readonly List<IDisposable> buffers = [];
    private readonly ArrayView<float> maxima;
    private readonly ArrayView<float> sums;

    /// <summary>Uploads a batch.</summary>
    /// <param name="host">The device.</param>
    /// <param name="batch">The responses.</param>
    /// <param name="options">The choices; null for the published ones.</param>
    /// <param name="denominators">The counts of the whole batch when this is a part of it; null to count here.</param>
    /// <exception cref="ArgumentException">The options have no kernel (<see cref="Supports"/>), or lack reference
    /// log-probabilities.</exception>
    public DeviceObjective(
        KernelHost host,
        RolloutBatchSingle batch,
        PolicyObjectiveOptions? options = null,
        LossDenominators? denominators = null)
    {
        ArgumentNullException.ThrowIfNull(host);
        ArgumentNullException.ThrowIfNull(batch);
        this.host = host;
        this.options = options ?? PolicyObjectiveOptions.Default;
        this.options.Require();
        if (!Supports(this.options))
        {
            throw new ArgumentException("These options have no kernel; the engines of the CPU compute them.");
        }

        RolloutArrays<float> arrays = batch.Arrays;
        bool withDivergence = this.options.KullbackLeiblerCoefficient != 0;
        if (withDivergence && arrays.Reference is null)
        {
            throw new ArgumentException("A KL coefficient other than 0 needs reference log-probabilities.");
        }

        LossDenominators counts = denominators ?? LossDenominators.Count(arrays.RowCounts);
        IcePopCorrection band = (IcePopCorrection)this.options.Correction;
        maxima = Upload(new float[arrays.Current.Length]);
        sums = Upload(new float[arrays.Current.Length]);
        arguments = new KernelArguments
        {
            Current = Upload(arrays.Current),
            Old = Upload(arrays.Old),
            Inference = Upload(arrays.Inference),
            Reference = Upload(withDivergence ? arrays.Reference! : []),
            ResponseMask = Upload(arrays.ResponseMask),
            Advantages = Upload(arrays.Advantages),
            Coefficients = Upload(Array.ConvertAll(
                arrays.RowCounts,
                count => (float)LossAggregation.Coefficient(this.options.Aggregation, count, counts))),
            Terms = Upload(new float[2 * arrays.Rollouts]),
            Rollouts = arrays.Rollouts,
            ResponseLength = arrays.ResponseLength,
            Divergence = withDivergence ? (int)this.options.KullbackLeibler : -1,
            DivergenceCoefficient = (float)this.options.KullbackLeiblerCoefficient,
            LowestLog = (float)Math.Log(band.Alpha),
            HighestLog = (float)Math.Log(band.Beta),
            LowestRatio = (float)this.options.Bounds.Lowest,
            HighestRatio = (float)this.options.Bounds.Highest,
            DualClip = (float)this.options.Bounds.DualClip,
        };
    }

    /// <summary>[rollouts, response]: the current log-probabilities, for a caller that makes them on the
    /// device.</summary>
    public ArrayView<float> Current => arguments.Current;

    /// <summary>Whether options have a kernel: IcePop as published, with any band, clip, aggregation and KL
    /// term.</summary>
    /// <param name="options">The options.</param>
    /// <returns>Whether.</returns>
    public static bool Supports(PolicyObjectiveOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return StreamedObjective.Supports(options)
            && options.Correction is IcePopCorrection
            && options.Decision == BandDecision.LogSpace
            && options.Numerator == RatioNumerator.RolloutWeights;
    }

    /// <summary>The loss, and its gradient in the current log-probabilities.</summary>
    /// <param name="gradient">[rollouts, response], on the device, written.</param>
    /// <returns>The loss in the options' aggregation, the divergence included.</returns>
    public float ValueAndGradient(ArrayView<float> gradient)
    {
        LaunchGradient(gradient);
        return Loss();
    }

    /// <summary>The loss, and its gradient in logits.</summary>
    /// <param name="logits">[rollouts · response, vocabulary], on the device: read, then their gradient.</param>
    /// <param name="tokens">[rollouts · response], on the device: the tokens; any of the vocabulary where
    /// masked.</param>
    /// <returns>The loss in the options' aggregation, the divergence included.</returns>
    public float ValueAndGradient(ArrayView<float> logits, ArrayView<long> tokens)
    {
        float temperature = (float)options.Temperature;
        TokenLogProbability.Launch(host, logits, tokens, temperature, maxima, sums, arguments.Current);
        LaunchGradient(arguments.Current); // a token's gradient takes the place of its log-probability
        TokenLogProbability.LaunchBackward(
            host, logits, tokens, temperature, maxima, sums, arguments.Current, logits);
        return Loss();
    }

    /// <inheritdoc/>
    public void Dispose() => buffers.ForEach(buffer => buffer.Dispose());

    private void LaunchGradient(ArrayView<float> gradient) => host.Launch(
        Kernel,
        host.GridFor((long)arguments.Rollouts * KernelHost.Lanes),
        arguments with { Gradient = gradient });

    private float Loss()
    {
        host.Synchronize();
        float[] terms = new float[2 * arguments.Rollouts];
        arguments.Terms.Fetch(terms);
        float loss = Sum(terms.AsSpan(0, arguments.Rollouts));
        return arguments.Divergence < 0
            ? loss
            : loss + (arguments.DivergenceCoefficient * Sum(terms.AsSpan(arguments.Rollouts)));
    }

    /// <summary>Sorted, so that the order of the responses changes no bit.</summary>
    private static float Sum(Span<float> terms)
    {
        terms.Sort();
        return Summation.SumVectorised(terms);
    }

    private ArrayView<T> Upload<T>(T[] values)
        where T : unmanaged
    {
        MemoryBuffer1D<T, Stride1D.Dense> buffer = host.Accelerator.Allocate1D<T>(Math.Max(1, values.Length));
        buffers.Add(buffer);
        ArrayView<T> view = buffer.View.BaseView.SubView(0, values.Length);
        view.Bring(values);
        return view;
    }
}
