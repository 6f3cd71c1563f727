using System.Collections.Generic;
using System.Linq;
using System.Runtime.CompilerServices;
using System.Threading;
using System.Threading.Tasks;
using RingFlash.Reference.Generation;

namespace RingFlash.Cli.Server;

/// <summary>Turns the events of one sequence into the parts of one answer.</summary>
/// <param name="call">The request.</param>
/// <param name="index">Which answer.</param>
/// <param name="splitReasoning">Whether reasoning is told apart.</param>
internal sealed class ChoiceReader(GenerationCall call, int index, bool splitReasoning)
{
    private readonly ReasoningSplitter? splitter = splitReasoning ? new ReasoningSplitter() : null;
    private IReadOnlyList<TokenScore?>? promptScores;
    private bool opened;
    private int offset;
    private int generated;

    private GenerationFields Fields => call.Fields;

    /// <summary>Reads a sequence to its end.</summary>
    /// <param name="events">Its events.</param>
    /// <param name="cancellation">Stops reading, and abandons the sequence.</param>
    /// <returns>At least one part; the last one has an end.</returns>
    public async IAsyncEnumerable<ChoicePart> Read(
        IAsyncEnumerable<GenerationEvent> events, [EnumeratorCancellation] CancellationToken cancellation)
    {
        await foreach (GenerationEvent happened in events.WithCancellation(cancellation).ConfigureAwait(false))
        {
            if (happened is PromptScored scored)
            {
                promptScores = scored.Tokens;
            }

            if (!opened && happened is TokenGenerated)
            {
                opened = true;
                yield return Opening();
            }

            ChoicePart? part = happened switch
            {
                TokenGenerated token when !Fields.IsEchoOnly => Token(token),
                GenerationFinished end => Ending(end),
                _ => null,
            };
            if (part is not null)
            {
                yield return part;
            }
        }
    }

    private ChoicePart Opening()
    {
        Prompt prompt = call.PromptOf(index);
        return Placed(new ChoicePart(index)
        {
            Opens = true,
            Text = Fields.Echo ? prompt.Text : string.Empty,
            Scores = Fields.Echo && Fields.TopCount is not null
                ? [.. prompt.Ids.Zip(promptScores!, (id, score) => new NamedScore(id, score))]
                : [],
            PromptScores = Fields.PromptTopCount is null ? null : promptScores,
        });
    }

    private ChoicePart Token(TokenGenerated token)
    {
        generated++;
        return Split(new ChoicePart(index)
        {
            Text = token.Text,
            Ids = [token.Id],
            Scores = Fields.TopCount is null ? [] : [new NamedScore(token.Id, token.Score)],
        });
    }

    private ChoicePart Ending(GenerationFinished end)
    {
        if (Fields.IsEchoOnly)
        {
            return Placed(new ChoicePart(index)
            {
                End = end with { Reason = FinishReason.Length, StopString = null, StopTokenId = null },
            });
        }

        string stop = Fields.IncludeStopString ? end.StopString ?? string.Empty : string.Empty;
        ChoicePart part = Split(new ChoicePart(index) { Text = end.Text + stop, End = end });
        if (splitter is null)
        {
            return part;
        }

        (string reasoning, string answer) = splitter.Flush();
        return part with { Reasoning = part.Reasoning + Told(reasoning), Text = part.Text + answer };
    }

    private ChoicePart Split(ChoicePart part)
    {
        if (splitter is not null)
        {
            (string reasoning, string answer) = splitter.Append(part.Text);
            part = part with { Reasoning = Told(reasoning), Text = answer };
        }

        return Placed(part);
    }

    private string Told(string reasoning) => call.IncludeReasoning ? reasoning : string.Empty;

    // vLLM counts as Python does: characters, and not the halves of a surrogate pair.
    private ChoicePart Placed(ChoicePart part)
    {
        part = part with { TextOffset = offset, Generated = generated };
        offset += part.Text.EnumerateRunes().Count();
        return part;
    }
}
