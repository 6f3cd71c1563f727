using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Channels;
using RingFlash.Reference.Model;
using RingFlash.Reference.Tokenization;

namespace RingFlash.Reference.Generation;

/// <summary>One request on its way: its tokens, cache, drafts and the events that its reader has not taken.</summary>
/// <remarks>
/// The loop alone changes a sequence; others may only abandon it, under the engine's lock. Between passes the main
/// layers' cache holds all tokens but the last one, or the part of the prompt that has been read; the MTP layer's slot
/// is as long where the request speculates.
/// </remarks>
internal sealed class Sequence
{
    private readonly GenerationEngine engine;
    private readonly Channel<GenerationEvent> channel = Channel.CreateUnbounded<GenerationEvent>(
        new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });

    private readonly TokenHistory history;
    private readonly StreamingDecoder? decoder;
    private readonly OutputText text;
    private readonly List<TokenScore?> promptScores = [];
    private readonly List<int> experts = [];
    private readonly List<int> drafts = [];
    private readonly int[] drafted;
    private readonly int[] accepted;
    private TokenDistribution target = null!; // made when the sequence begins to run, as the cache is
    private TokenDistribution[] draftDistributions = [];
    private int passes;
    private CancellationToken abandoned;
    private CancellationTokenRegistration registration;
    private FinishReason? finish;
    private int? stopTokenId;

    /// <summary>Prepares; memory that counts is taken by <see cref="Begin"/>.</summary>
    /// <param name="engine">Whose it is.</param>
    /// <param name="request">What is wanted; checked.</param>
    public Sequence(GenerationEngine engine, GenerationRequest request)
    {
        this.engine = engine;
        Request = request;
        Ids = [.. request.PromptIds];
        MaxLength = (int)Math.Min(
            engine.ContextLimit, (long)request.PromptIds.Count + (request.Sampling.MaxTokens ?? int.MaxValue));
        history = new TokenHistory(request.PromptIds);
        decoder = engine.Tokenizer is null ? null : new StreamingDecoder(engine.Tokenizer, request.SkipSpecialTokens);
        text = new OutputText(request.Sampling.StopStrings);
        drafted = new int[request.SpeculativeTokens];
        accepted = new int[request.SpeculativeTokens];
    }

    /// <summary>What is wanted.</summary>
    public GenerationRequest Request { get; }

    /// <summary>Prompt and output.</summary>
    public List<int> Ids { get; }

    /// <summary>The most tokens that the sequence may come to have.</summary>
    public int MaxLength { get; }

    /// <summary>Keys and values; made when the sequence begins to run.</summary>
    public KeyValueCache<float> Cache { get; private set; } = null!;

    /// <summary>What the reader reads.</summary>
    public ChannelReader<GenerationEvent> Events => channel.Reader;

    /// <summary>Whether a part of the prompt is still to be read.</summary>
    public bool ReadsPrompt => Cache.Length < Request.PromptIds.Count;

    /// <summary>Whether nobody waits for it any more; guarded by the engine's lock.</summary>
    public bool IsAbandoned { get; private set; }

    /// <summary>Whether no event follows; guarded by the engine's lock.</summary>
    public bool IsOver { get; private set; }

    /// <summary>Whether the last token has been chosen.</summary>
    public bool IsFinished => finish is not null;

    /// <summary>How many tokens the next pass is to verify: fewer than asked for near the end.</summary>
    public int DraftsWanted => Math.Min(Request.SpeculativeTokens, MaxLength - Ids.Count - 1);

    /// <summary>Tokens drafted so far.</summary>
    public IReadOnlyList<int> Drafts => drafts;

    /// <summary>Abandons the sequence when a token says so.</summary>
    /// <param name="cancellation">The token.</param>
    public void ListenTo(CancellationToken cancellation)
    {
        abandoned = cancellation;
        registration = cancellation.UnsafeRegister(state => ((Sequence)state!).Leave(), this);
    }

    /// <summary>Nobody waits for it any more.</summary>
    public void Leave() => engine.Abandon(this);

    /// <summary>Notes that nobody waits; under the engine's lock.</summary>
    public void MarkAbandoned() => IsAbandoned = true;

    /// <summary>Ends the stream; under the engine's lock.</summary>
    /// <param name="failure">What the reader gets; null for a good end.</param>
    public void End(Exception? failure)
    {
        IsOver = true;
        Cache?.Dispose(); // null if it never began
        registration.Unregister(); // does not wait for a callback, which may wait for the lock
        channel.Writer.TryComplete(failure);
    }

    /// <summary>Ends the stream as an abandoned one; under the engine's lock.</summary>
    public void EndAbandoned() => End(new OperationCanceledException(abandoned));

    /// <summary>Takes a cache with room for the prompt and a little more.</summary>
    public void Begin()
    {
        int vocabulary = engine.Configuration.VocabularySize;
        target = new TokenDistribution(vocabulary);
        draftDistributions = [.. drafted.Select(_ => new TokenDistribution(vocabulary))];
        int room = Math.Min(MaxLength, Request.PromptIds.Count + 64);
        Cache = new KeyValueCache<float>(engine.Configuration, 1, room, MaxLength);
    }

    /// <summary>The rows of the next pass.</summary>
    /// <param name="promptRows">The most tokens of the prompt.</param>
    /// <returns>The part of the prompt that is next; or the last token and the drafts behind it.</returns>
    public int[] NextRows(int promptRows)
    {
        int first = Cache.Length;
        return ReadsPrompt
            ? [.. Ids.Skip(first).Take(Math.Min(promptRows, Request.PromptIds.Count - first))]
            : [Ids[^1], .. drafts];
    }

    /// <summary>Whether the logits of a row of the next pass are needed.</summary>
    /// <param name="row">The row.</param>
    /// <returns>All behind the prompt; the last of it; all of it to score it.</returns>
    public bool NeedsLogits(int row) =>
        Request.PromptLogProbabilityCount is not null || Cache.Length + row >= Request.PromptIds.Count - 1;

    /// <summary>Takes the results of a pass: scores the prompt, chooses tokens, verifies drafts.</summary>
    /// <param name="before">Tokens that the cache held before.</param>
    /// <param name="rows">Rows of the pass.</param>
    /// <param name="logits">The logits of a row, [vocabulary]; asked for in order.</param>
    /// <param name="routing">The experts of a row, [layers, topK]; asked for accepted rows.</param>
    /// <returns>How many rows stand: the cache is cut back to them.</returns>
    public int Take(int before, int rows, RowReader<float> logits, RowReader<int> routing)
    {
        int standing = before < Request.PromptIds.Count
            ? TakePrompt(before, rows, logits)
            : TakeTokens(logits);
        Cache.Truncate(before + standing);
        for (int row = 0; row < standing && Request.RoutedExperts; row++)
        {
            experts.AddRange(routing(row));
        }

        drafts.Clear();
        if (IsFinished)
        {
            channel.Writer.TryWrite(Finished());
        }

        return standing;
    }

    /// <summary>Drafts a token from the MTP layer's logits.</summary>
    /// <param name="logits">[vocabulary].</param>
    public void Draft(ReadOnlySpan<float> logits)
    {
        // What the draft would be penalised for if the drafts before it stand.
        foreach (int draft in drafts)
        {
            history.Add(draft);
        }

        TokenDistribution distribution = draftDistributions[drafts.Count];
        distribution.Set(logits, history, Request.Sampling);
        foreach (int draft in drafts)
        {
            history.Remove(draft);
        }

        drafts.Add(distribution.Draw(
            Philox.Uniform(Request.Sampling.Seed, Ids.Count + drafts.Count, DrawPurpose.Draft)));
    }

    private int TakePrompt(int before, int rows, RowReader<float> logits)
    {
        int count = Request.PromptIds.Count;
        if (Request.PromptLogProbabilityCount is int told)
        {
            if (before == 0)
            {
                promptScores.Add(null);
            }

            for (int row = 0; row < rows && before + row + 1 < count; row++)
            {
                promptScores.Add(TokenScoring.Of(logits(row), Ids[before + row + 1], told));
            }
        }

        channel.Writer.TryWrite(new PromptProgress(before + rows, count));
        if (before + rows == count)
        {
            if (Request.PromptLogProbabilityCount is not null)
            {
                channel.Writer.TryWrite(new PromptScored(promptScores));
            }

            ReadOnlySpan<float> last = logits(rows - 1);
            target.Set(last, history, Request.Sampling);
            Choose(target.Draw(Uniform(DrawPurpose.Token)), last);
        }

        return rows;
    }

    private int TakeTokens(RowReader<float> logits)
    {
        passes++;
        int row = 0;
        bool stands = true;
        while (stands && !IsFinished)
        {
            ReadOnlySpan<float> current = logits(row);
            target.Set(current, history, Request.Sampling);
            stands = row < drafts.Count;
            int id;
            if (!stands)
            {
                id = target.Draw(Uniform(DrawPurpose.Token));
            }
            else
            {
                TokenDistribution draft = draftDistributions[row];
                id = drafts[row];
                stands = engine.Accepts(
                    target.Probability(id), draft.Probability(id), Uniform(DrawPurpose.Acceptance));
                drafted[row]++;
                accepted[row] += stands ? 1 : 0;
                id = stands ? id : target.DrawBeyond(draft, Uniform(DrawPurpose.Token));
            }

            Choose(id, current);
            row++;
        }

        return row; // the last chosen token has not been fed
    }

    private double Uniform(DrawPurpose purpose) => Philox.Uniform(Request.Sampling.Seed, Ids.Count, purpose);

    private void Choose(int id, ReadOnlySpan<float> logits)
    {
        Request.LogitsSeen?.Invoke(Ids.Count, logits);
        TokenScore? score =
            Request.LogProbabilityCount is int told ? TokenScoring.Of(logits, id, told) : null;
        Ids.Add(id);
        history.Add(id);
        bool isEnd = !Request.Sampling.IgnoreEndOfSequence && engine.EndOfSequenceIds.Contains(id);
        bool isStop = Request.Sampling.StopTokenIds.Contains(id);

        // The last rows of the published weights belong to no token; a synthetic model may choose one.
        string grown = isEnd || isStop || decoder is null || !engine.Tokenizer!.Contains(id)
            ? string.Empty
            : text.Append(decoder.Append(id));
        stopTokenId = isStop ? id : null;
        finish = isEnd || isStop || text.Found is not null ? FinishReason.Stop
            : Ids.Count == MaxLength ? FinishReason.Length
            : null;
        channel.Writer.TryWrite(new TokenGenerated(id, grown, score));
    }

    private GenerationFinished Finished()
    {
        int prompt = Request.PromptIds.Count, topK = engine.Configuration.ExpertsPerToken;
        string rest = decoder is null ? string.Empty : text.End(decoder.Flush());
        FinishReason reason = text.Found is null ? finish!.Value : FinishReason.Stop; // half a character may be one
        return new GenerationFinished(reason, rest, prompt, Ids.Count - prompt)
        {
            StopString = text.Found,
            StopTokenId = stopTokenId,
            RoutedExperts = Request.RoutedExperts
                ? new RoutedExperts(Ids.Count - 1, engine.Configuration.LayerCount, topK, experts)
                : null,
            Speculation = Request.SpeculativeTokens > 0
                ? new SpeculationStatistics(passes, Ids.Count - prompt - 1, drafted, accepted)
                : null,
        };
    }
}

/// <summary>Reads a row of a pass.</summary>
/// <typeparam name="T">The element.</typeparam>
/// <param name="row">The row, counted from the sequence's first.</param>
/// <returns>The row.</returns>
internal delegate ReadOnlySpan<T> RowReader<T>(int row);
