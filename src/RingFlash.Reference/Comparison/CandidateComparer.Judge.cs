using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Verification;

namespace RingFlash.Reference.Comparison;

/// <content>Judging what a part of the isolated run showed.</content>
public sealed partial class CandidateComparer
{
    private void JudgePart(int layer, List<PartItem> items)
    {
        bool[] here = new bool[reference.Input.Ids.Length];
        string prefix = LayerName(layer);
        undecided.EnterLayer();
        foreach (PartItem item in items)
        {
            if (item is ChoiceItem choice)
            {
                here = JudgeChoice(layer, choice, items) ? RouterJudgement.Undecided(choice) : here;
            }
            else if (item is TapItem tap && reference.Flow.Find(tap.Name) is { } node)
            {
                bool isBehindChoice = tap.Name.StartsWith($"{prefix}mlp.", StringComparison.Ordinal)
                    || (tap.Name == $"{prefix}output" && !Holds($"{prefix}mlp.output"));
                JudgeTap(tap, node, token => undecided.IsBehind(token) || (isBehindChoice && here[token]));
            }
        }

        if (layer < 0 || Holds($"{prefix}output"))
        {
            undecided = Fresh();
        }
        else if (!Holds($"{prefix}mlp.output"))
        {
            for (int token = 0; token < here.Length; token++)
            {
                if (here[token])
                {
                    undecided.Add(token);
                }
            }
        }
    }

    // True when what follows depends on a choice that the dump does not hold.
    private bool JudgeChoice(int layer, ChoiceItem choice, List<PartItem> items)
    {
        string name = $"{choice.Name}.topk_idx";
        if (!candidate.Taps.TryGetValue(name, out CandidateTap? tap))
        {
            return true;
        }

        if (Holds($"{choice.Name}.scores"))
        {
            Array.Clear(choice.Noise); // the choice was made from the candidate's own scores
        }

        DataFlowNode node = reference.Flow.Find(name)!;
        FlowSegment segment = reference.Flow.SegmentOf(name, Holds);
        TapItem? weightItem = items.OfType<TapItem>().FirstOrDefault(item => item.Name == $"{choice.Name}.topk_weight");
        TapFinding? weights = weightItem is null ? null : BandBudget.Judge(
            weightItem, names, node, segment, precision != "float32", undecided.IsBehind);
        RouterFinding finding = RouterJudgement.Judge(
            choice, tap, weights, layer, router, undecided.IsBehind, out (WorstValue Value, double Over)? worst);
        routers.Add(finding);
        if (worst is { } found)
        {
            AddFault(node, segment, found.Value, found.Over, finding.Note);
        }

        return false;
    }

    private void JudgeTap(TapItem item, DataFlowNode node, Func<int, bool> isLeftOut)
    {
        FlowSegment segment = reference.Flow.SegmentOf(item.Name, Holds);
        TapFinding finding = BandBudget.Judge(item, names, node, segment, precision != "float32", isLeftOut);
        string recognised = Recognition.Alone(item);
        if (finding.Verdict == Verdict.Failed && recognised.Length == 0)
        {
            double tolerance = Math.Min(2 * finding.Budget.L2Relative, finding.Distance.L2Relative / 4);
            recognised = Recognition.OfTheReference(item, reference.Configuration.HeadDimension, tolerance);
        }

        finding = finding with
        {
            Recognised = recognised,
            Note = finding.Verdict == Verdict.NotChecked ? Undecided : finding.Note,
        };
        isolated.Add(finding);
        if (finding.Verdict == Verdict.Failed)
        {
            AddFault(node, segment, finding.Worst, finding.OverBudget, finding.Recognised);
        }
    }

    private void AddFault(
        DataFlowNode node, FlowSegment segment, WorstValue? worst, double over, string recognised) => faults.TryAdd(
            node.Name,
            new FirstFault(
                BandBudget.IdOf(node),
                node.Name,
                node.Layer,
                segment.Blocks,
                segment.Operators,
                segment.Inputs,
                worst,
                over,
                recognised,
                OperatorPage.FileOf(segment.Operators.Count == 0 ? string.Empty : segment.Operators[^1])));

    // Weights without the experts that they belong to were not fed in; rows that lack tokens were, as far as they go.
    private bool Holds(string name) =>
        candidate.Taps.ContainsKey(name)
        && (!name.EndsWith(".topk_weight", StringComparison.Ordinal)
            || candidate.Taps.ContainsKey(name.Replace(".topk_weight", ".topk_idx", StringComparison.Ordinal)));

    private NearTies Fresh() => new(reference.Input.Batch, reference.Input.Tokens, reference.Input.AttentionMask);
}
