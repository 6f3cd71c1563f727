using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Comparison;

/// <summary>What noise does to the logits: the statistics of every legal variant's, as they pass by.</summary>
internal sealed class LogitsNoise(ComparisonReference reference)
{
    private readonly List<LogitsStatistics> noise = [];
    private TapItem? logits;

    /// <summary>Starts a part.</summary>
    /// <param name="items">What the reference's run showed.</param>
    public void Begin(IEnumerable<PartItem> items) =>
        logits = items.OfType<TapItem>().FirstOrDefault(item => item.Name == DataFlow.Logits);

    /// <summary>Takes a variant's result, when it is the logits.</summary>
    /// <param name="name">The tap.</param>
    /// <param name="tensor">The values.</param>
    public void Add(string name, HostTensor<float> tensor)
    {
        if (logits is not null && name == DataFlow.Logits)
        {
            noise.Add(Between(logits, tensor.Values));
        }
    }

    /// <summary>The candidate's statistics beside them.</summary>
    /// <param name="item">The logits.</param>
    /// <returns>The finding.</returns>
    public LogitsFinding? Finding(TapItem item) => Between(item, item.Candidate).Finding(noise);

    private LogitsStatistics Between(TapItem item, float[] values) => LogitsStatistics.Between(
        item.Reference,
        values,
        TapShape.Present(item.Tap, item.Map.Count),
        reference.Input.Ids,
        reference.Input.Tokens);
}
