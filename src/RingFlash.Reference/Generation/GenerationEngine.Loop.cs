using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Generation;

/// <content>The loop: who takes part in a pass, the pass, and what becomes of its results.</content>
/// <remarks>
/// A pass holds the last token (and drafts) of every sequence that decodes, and the next chunks of prompts, oldest
/// request first. When those who were abandoned own half of its rows it is broken off before the next layer, and the
/// others repeat it before anyone new may begin: they lose less than was saved, and nobody can hold them up by coming
/// and going.
/// </remarks>
public sealed partial class GenerationEngine
{
    // Logits of scored prompts in one pass: 64 MiB of float32.
    private const int MostPromptLogits = 1 << 24;

    private CancellationTokenSource? passCancellation;
    private Dictionary<Sequence, int> passRows = [];
    private int abandonedRows;

    /// <summary>Tests break this rule to see that it matters.</summary>
    internal Func<double, double, double, bool> Accepts { get; init; } = SpeculativeRule.Accepts;

    /// <summary>Nobody waits for a sequence any more.</summary>
    /// <param name="sequence">The sequence.</param>
    internal void Abandon(Sequence sequence)
    {
        lock (gate)
        {
            if (sequence.IsOver || sequence.IsAbandoned)
            {
                return;
            }

            if (waiting.Remove(sequence))
            {
                sequence.EndAbandoned();
                return;
            }

            sequence.MarkAbandoned();
            abandonedRows += passRows.GetValueOrDefault(sequence);
            if (2 * abandonedRows >= passRows.Values.Sum())
            {
                passCancellation?.Cancel();
            }
        }
    }

    private void Loop()
    {
        bool mayAdmit = true;
        while (true)
        {
            List<Part> parts;
            CancellationToken cancellation;
            lock (gate)
            {
                DropAbandoned();
                if (stopping)
                {
                    EndAll();
                    return;
                }

                if (mayAdmit)
                {
                    Admit();
                }

                parts = Plan();
                passCancellation = new CancellationTokenSource();
                cancellation = passCancellation.Token;
            }

            try
            {
                if (parts.Count == 0)
                {
                    wake.Wait(CancellationToken.None);
                }

                mayAdmit = parts.Count == 0 || Pass(parts, cancellation);
            }
            catch (Exception failure)
            {
                mayAdmit = true;
                parts.ForEach(part => Drop(part.Sequence, failure)); // their readers get it; others may fare better
            }

            lock (gate)
            {
                passCancellation.Dispose();
                passCancellation = null;
                passRows = [];
            }
        }
    }

    private void DropAbandoned()
    {
        foreach (Sequence sequence in running.Where(sequence => sequence.IsAbandoned).ToArray())
        {
            running.Remove(sequence);
            sequence.EndAbandoned();
        }
    }

    private void EndAll()
    {
        foreach (Sequence sequence in running.Concat(waiting))
        {
            sequence.EndAbandoned();
        }

        running.Clear();
        waiting.Clear();
    }

    private void Admit()
    {
        while (running.Count < Limits.RunningRequests && waiting.First?.Value is Sequence next
            && (Limits.CacheTokens is not long most
                || running.Sum(sequence => (long)sequence.MaxLength) + next.MaxLength <= most))
        {
            waiting.RemoveFirst();
            next.Begin();
            running.Add(next);
        }
    }

    private List<Part> Plan()
    {
        List<Part> parts = [];
        int promptRows = Limits.PromptTokensPerPass, first = 0;
        foreach (Sequence sequence in running)
        {
            int most = sequence.Request.PromptLogProbabilityCount is null
                ? promptRows
                : Math.Min(promptRows, Math.Max(1, MostPromptLogits / Configuration.VocabularySize));
            int[] ids = sequence.NextRows(most);
            if (ids.Length > 0)
            {
                parts.Add(new Part(sequence, first, sequence.Cache.Length, ids));
                first += ids.Length;
                promptRows -= sequence.ReadsPrompt ? ids.Length : 0;
            }
        }

        passRows = parts.ToDictionary(part => part.Sequence, part => part.Ids.Length);
        abandonedRows = 0;
        return parts;
    }

    /// <summary>One pass of the main model.</summary>
    /// <returns>Whether it was completed; if not, it is as if it had not begun.</returns>
    private bool Pass(List<Part> parts, CancellationToken cancellation)
    {
        int[] logitRows = [.. parts.SelectMany(part =>
            Enumerable.Range(0, part.Ids.Length).Where(part.Sequence.NeedsLogits).Select(row => part.First + row))];
        RoutedExpertsTrace? routing = parts.Exists(part => part.Sequence.Request.RoutedExperts)
            ? new RoutedExpertsTrace(Configuration.LayerCount)
            : null;
        ForwardResult<float> result;
        try
        {
            result = model.Forward(
                new ForwardInput([.. parts.SelectMany(part => part.Ids).Select(id => (long)id)], 1)
                {
                    LogitRows = logitRows,
                },
                [.. parts.Select(part => new SequenceRows<float>(part.Ids.Length, part.Sequence.Cache))],
                routing,
                cancellation);
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            foreach (Part part in parts)
            {
                part.Sequence.Cache.Truncate(part.Before);
            }

            return false;
        }

        List<DraftRows> drafting = [];
        foreach (Part part in parts)
        {
            try
            {
                int standing = part.Sequence.Take(
                    part.Before,
                    part.Ids.Length,
                    row => result.Logits.Row(Array.BinarySearch(logitRows, part.First + row)),
                    row => routing!.Row(part.First + row, Configuration.ExpertsPerToken));
                if (part.Sequence.Request.SpeculativeTokens > 0 && !part.Sequence.IsFinished)
                {
                    drafting.Add(new DraftRows(
                        part.Sequence,
                        [.. part.Sequence.Ids.Skip(part.Before + 1).Take(standing).Select(id => (long)id)],
                        result.HiddenStates.Span.Slice(
                            part.First * result.HiddenStates.Width, standing * result.HiddenStates.Width).ToArray()));
                }
            }
            catch (InvalidInputException failure)
            {
                Drop(part.Sequence, failure); // its own logits are no numbers
            }
        }

        EndFinished();
        Draft(drafting);
        return true;
    }

    private void EndFinished()
    {
        lock (gate)
        {
            foreach (Sequence sequence in running.Where(sequence => sequence.IsFinished).ToArray())
            {
                running.Remove(sequence);
                sequence.End(null);
            }
        }
    }

    private void Drop(Sequence sequence, Exception failure)
    {
        lock (gate)
        {
            if (running.Remove(sequence))
            {
                sequence.End(failure);
            }
        }
    }

    /// <summary>Rows of one sequence in a pass.</summary>
    /// <param name="Sequence">Whose.</param>
    /// <param name="First">The first of its rows.</param>
    /// <param name="Before">Tokens in its cache before.</param>
    /// <param name="Ids">Its tokens.</param>
    private sealed record Part(Sequence Sequence, int First, int Before, int[] Ids);
}
