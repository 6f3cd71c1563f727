using System;
using System.Globalization;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Generation;

/// <summary>Keeps who was routed where in one pass, and nothing else.</summary>
/// <param name="layers">Main layers.</param>
internal sealed class RoutedExpertsTrace(int layers) : ForwardTrace<float>
{
    private readonly int[]?[] decisions = new int[]?[layers]; // [layers][rows, topK]; null for a dense layer

    /// <inheritdoc/>
    public override void Tap(string name, HostTensor<float> tensor)
    {
    }

    /// <inheritdoc/>
    public override void TapDecision(string name, RouterDecision<float> decision)
    {
        ArgumentNullException.ThrowIfNull(name);
        int layer = int.Parse(name.Split('.')[2], CultureInfo.InvariantCulture); // model.layers.N.mlp.gate
        decisions[layer] = [.. decision.TopKIndices];
    }

    /// <inheritdoc/>
    public override bool Wants(string name) => false;

    /// <summary>The experts of a row.</summary>
    /// <param name="row">The row of the pass.</param>
    /// <param name="topK">Experts per token.</param>
    /// <returns>[layers, topK]; zeros for dense layers.</returns>
    public int[] Row(int row, int topK)
    {
        int[] experts = new int[layers * topK];
        for (int layer = 0; layer < layers; layer++)
        {
            decisions[layer]?.AsSpan(row * topK, topK).CopyTo(experts.AsSpan(layer * topK));
        }

        return experts;
    }
}
