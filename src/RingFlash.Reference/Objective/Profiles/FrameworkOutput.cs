using System;
using System.Collections.Generic;
using System.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Objective.Profiles;

/// <summary>What a framework's function gives back; what it does not offer stays absent.</summary>
internal sealed class FrameworkOutput<T>
    where T : struct, IBinaryFloatingPointIeee754<T>
{
    private readonly FrameworkInput<T> input;
    private readonly Dictionary<string, double> losses = [];
    private readonly Dictionary<string, double[]> gradients = [];
    private readonly Dictionary<string, double> metrics = [];

    public FrameworkOutput(FrameworkInput<T> input)
    {
        this.input = input;
    }

    /// <summary>[rows, columns].</summary>
    public Traced<T>? Weight { get; init; }

    /// <summary>[rows, columns], flags.</summary>
    public Traced<T>? Keep { get; init; }

    /// <summary>Adds a loss; its gradient follows from it.</summary>
    public FrameworkOutput<T> Loss(LossAggregationKind aggregation, Traced<T> loss)
    {
        losses[aggregation.Word()] = double.CreateSaturating(loss.Scalar);
        gradients[aggregation.Word()] =
            Array.ConvertAll(loss.GradientOf(input.Current), value => double.CreateSaturating(value));
        return this;
    }

    /// <summary>Adds one of the framework's metrics under its name.</summary>
    public FrameworkOutput<T> Metric(string name, Traced<T> value)
    {
        metrics[name] = double.CreateSaturating(value.Scalar);
        return this;
    }

    public IcePopExpectation ToExpectation() => new()
    {
        Weight = Weight is null ? null : Array.ConvertAll(Weight.Values, value => double.CreateSaturating(value)),
        Keep = Keep is null ? null : Array.ConvertAll(Keep.Values, value => value == T.Zero ? (byte)0 : (byte)1),
        Loss = losses,
        Gradient = gradients,
        Metrics = metrics,
    };
}

/// <summary>A framework's function, written once for both number types.</summary>
internal interface IFrameworkLoss
{
    FrameworkOutput<T> Evaluate<T>(FrameworkInput<T> input)
        where T : struct, IBinaryFloatingPointIeee754<T>;
}
