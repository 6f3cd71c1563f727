using System;
using System.Collections.Generic;
using System.Linq;

namespace RingFlash.Reference.Comparison;

/// <summary>
/// What a dump holds and what it ought to hold. A dump declares by what it has: a kind of tap that is there for one
/// layer is declared for every layer whose computation has it; a kind that is there for no layer was not dumped, which
/// is no fault of the dump.
/// </summary>
/// <param name="Missing">Declared and not there.</param>
/// <param name="NotDumped">Kinds of which nothing is there.</param>
/// <param name="Unknown">There, but not part of the main model's pass.</param>
internal sealed record Coverage(
    IReadOnlyList<string> Missing, IReadOnlyList<string> NotDumped, IReadOnlyList<string> Unknown)
{
    /// <summary>Counts.</summary>
    /// <param name="flow">The model's results.</param>
    /// <param name="candidate">The dump.</param>
    /// <returns>The coverage.</returns>
    public static Coverage Of(DataFlow flow, Candidate candidate)
    {
        List<string> missing = [], notDumped = [];
        IEnumerable<IGrouping<string, DataFlowNode>> kinds = flow.Nodes
            .Where(node => !node.Name.EndsWith(".residual", StringComparison.Ordinal))
            .GroupBy(Kind, StringComparer.Ordinal);
        foreach (IGrouping<string, DataFlowNode> kind in kinds)
        {
            DataFlowNode[] absent = [.. kind.Where(node => !candidate.Taps.ContainsKey(node.Name))];
            if (absent.Length == kind.Count())
            {
                notDumped.Add(kind.Key);
            }
            else
            {
                missing.AddRange(absent.Select(node => node.Name));
            }
        }

        return new Coverage(
            missing, notDumped, [.. candidate.Taps.Keys.Where(name => flow.Find(name) is null).Order()]);
    }

    private static string Kind(DataFlowNode node) => node.Layer is null
        ? node.Name
        : node.Name.Split('.', 4)[3];
}
