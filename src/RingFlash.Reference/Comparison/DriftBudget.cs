using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Verification;

namespace RingFlash.Reference.Comparison;

/// <summary>
/// How far two correct runs may drift apart, from the operations behind a tap alone (as <see cref="ErrorBudget"/>
/// derives it): what is left to go by where stored values are compared with stored values. Wide, for it must hold
/// without knowing the weights.
/// </summary>
internal sealed class DriftBudget
{
    private readonly Dictionary<string, double> operations = new(StringComparer.Ordinal);
    private readonly double scale;

    /// <summary>Counts the operations behind every result.</summary>
    /// <param name="configuration">The model.</param>
    /// <param name="flow">Its results.</param>
    /// <param name="underBFloat16">Whether either side computes in bfloat16 or coarser.</param>
    public DriftBudget(ModelConfiguration configuration, DataFlow flow, bool underBFloat16)
    {
        scale = underBFloat16 ? ErrorBudget.BFloat16Roundoff / ErrorBudget.Float32Roundoff : 1;
        foreach (DataFlowNode node in flow.Nodes)
        {
            double before = node.Inputs.Max(input => operations.GetValueOrDefault(input));
            operations[node.Name] =
                before + node.Operators.Sum(name => underBFloat16 ? 1 : WeightOf(name, configuration));
        }
    }

    /// <summary>The budget of a tap.</summary>
    /// <param name="node">The tap.</param>
    /// <returns>Only <see cref="NoiseBand.L2Relative"/> counts.</returns>
    public NoiseBand Of(DataFlowNode node)
    {
        double l2 = scale * ErrorBudget.L2(Math.Max(1, operations[node.Name]));
        return new NoiseBand(l2, double.PositiveInfinity, double.PositiveInfinity);
    }

    private static double WeightOf(string name, ModelConfiguration configuration) => name switch
    {
        "LinearProjection" or "RouterLogits" => ErrorBudget.ProductWeight(configuration.HiddenSize),
        "CausalAttention" => 4 + (configuration.HeadDimension / 16.0),
        "RoutedExperts" => 1 + ErrorBudget.ProductWeight(configuration.HiddenSize)
            + ErrorBudget.ProductWeight(configuration.ExpertIntermediateSize),
        _ => 1,
    };
}
