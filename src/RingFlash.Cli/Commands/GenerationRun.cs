using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.Linq;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using RingFlash.Cli.Reports;
using RingFlash.Reference.Generation;
using RingFlash.Reference.Numerics;

namespace RingFlash.Cli.Commands;

/// <summary>The output for one prompt.</summary>
/// <param name="Prompt">The prompt.</param>
internal sealed record GenerationOutput(GenerationPrompt Prompt)
{
    /// <summary>The generated tokens.</summary>
    public List<TokenGenerated> Tokens { get; } = [];

    /// <summary>The text so far.</summary>
    public StringBuilder Text { get; } = new();

    /// <summary>How it ended; null while it runs.</summary>
    public GenerationFinished? End { get; set; }
}

/// <summary>
/// Generates and shows: the first prompt's output as it comes, the others' when it is their turn. Standard output holds
/// nothing but outputs, with a line before each where there are several.
/// </summary>
/// <param name="engine">Who generates.</param>
/// <param name="prompts">The prompts.</param>
/// <param name="requests">A request for each.</param>
/// <param name="context">The outside world.</param>
internal sealed class GenerationRun(
    GenerationEngine engine,
    IReadOnlyList<GenerationPrompt> prompts,
    IReadOnlyList<GenerationRequest> requests,
    ToolContext context)
{
    private readonly GenerationOutput[] outputs = [.. prompts.Select(prompt => new GenerationOutput(prompt))];
    private readonly StatusLine status = new(context.ErrorIsTerminal ? context.Error : null);
    private readonly Lock gate = new();
    private readonly long start = Stopwatch.GetTimestamp();
    private long firstToken;
    private int shown; // whose turn it is
    private int shownLength; // what of its output is on the screen

    /// <summary>Runs to the end.</summary>
    /// <param name="cancellation">Stops within one layer.</param>
    /// <returns>The outputs.</returns>
    public async Task<IReadOnlyList<GenerationOutput>> RunAsync(CancellationToken cancellation)
    {
        IReadOnlyList<IAsyncEnumerable<GenerationEvent>> streams =
            engine.TryGenerate(requests, cancellation)
            ?? throw new InvalidOperationException("an engine of this size has room for its own requests");
        try
        {
            lock (gate)
            {
                Head();
            }

            await Task.WhenAll(streams.Select((stream, index) => Follow(stream, outputs[index]))).ConfigureAwait(false);
        }
        finally
        {
            status.Clear();
            if (shown < outputs.Length && shownLength > 0)
            {
                context.Output.WriteLine(); // broken off in the middle of a line
            }
        }

        Array.ForEach(outputs, Summarise);
        return outputs;
    }

    private async Task Follow(IAsyncEnumerable<GenerationEvent> stream, GenerationOutput output)
    {
        await foreach (GenerationEvent happened in stream.ConfigureAwait(false))
        {
            lock (gate)
            {
                Take(happened, output);
            }
        }
    }

    private void Take(GenerationEvent happened, GenerationOutput output)
    {
        switch (happened)
        {
            case PromptProgress progress:
                status.Show($"reading the prompt: {progress.Done} of {progress.Count} tokens");
                return;
            case TokenGenerated token:
                firstToken = firstToken == 0 ? Stopwatch.GetTimestamp() : firstToken;
                output.Text.Append(output.Prompt.IsText ? token.Text : Id(token, output.Tokens.Count));
                output.Tokens.Add(token);
                break;
            case GenerationFinished end:
                output.Text.Append(output.Prompt.IsText ? end.Text : string.Empty);
                output.End = end;
                break;
        }

        Print();
        if (!context.OutputIsTerminal)
        {
            status.Show(Speed()); // on a terminal the tokens themselves show that it goes on
        }
    }

    // Whatever of the output whose turn it is has come; finished ones give the turn on.
    private void Print()
    {
        while (shown < outputs.Length)
        {
            GenerationOutput output = outputs[shown];
            if (output.Text.Length > shownLength)
            {
                status.Clear();
                string grown = output.Text.ToString(shownLength, output.Text.Length - shownLength);
                context.Output.Write(context.OutputIsTerminal ? Harmless(grown) : grown);
                context.Output.Flush();
                shownLength = output.Text.Length;
            }

            if (output.End is null)
            {
                return;
            }

            status.Clear();
            context.Output.WriteLine();
            LogProbabilities(output);
            (shown, shownLength) = (shown + 1, 0);
            Head();
        }
    }

    private void Head()
    {
        if (outputs.Length > 1 && shown < outputs.Length)
        {
            context.Output.WriteLine($"--- prompt {shown + 1} of {outputs.Length}");
        }
    }

    private void LogProbabilities(GenerationOutput output)
    {
        if (output.Tokens[0].Score is null)
        {
            return;
        }

        ReportTable table = new(
            new ReportColumn("token", 7, Right: true),
            new ReportColumn("id", 7, Right: true),
            new ReportColumn("logprob", 11, Right: true),
            new ReportColumn("rank", 6, Right: true),
            new ReportColumn("most likely: id logprob", 60));
        int position = output.Prompt.Ids.Count;
        foreach (TokenGenerated token in output.Tokens)
        {
            ScoredToken own = token.Score!.Token;
            table.Add(
                Whole(position++),
                Whole(own.Id),
                Number(own.LogProbability),
                Whole(own.Rank),
                string.Join("  ", token.Score.Top.Select(other => $"{other.Id} {Number(other.LogProbability)}")));
        }

        table.Write(ReportConsole.Create(context.Output, context.Colour));
    }

    private void Summarise(GenerationOutput output)
    {
        GenerationFinished end = output.End!;
        string why = end switch
        {
            { StopString: string text } => $"stop string {InvalidInputException.Escape(text)}",
            { StopTokenId: int id } => $"stop token {id}",
            { Reason: FinishReason.Stop } => "end of sequence",
            _ => "length",
        };
        string place = outputs.Length == 1 ? string.Empty : $"prompt {Array.IndexOf(outputs, output) + 1}: ";
        string format = output.Prompt.Format is string name ? $", chat format {name}" : string.Empty;
        context.Error.WriteLine(
            $"{place}{end.PromptTokens} + {end.GeneratedTokens} tokens of {engine.ContextLimit}, ended by {why}"
            + format);
        if (end.Speculation is SpeculationStatistics drafts)
        {
            IEnumerable<string> shares = drafts.Acceptance.Select(
                share => double.IsNaN(share) ? "-" : share.ToString("0.00", CultureInfo.InvariantCulture));
            string perPass = drafts.TokensPerPass.ToString("0.00", CultureInfo.InvariantCulture);
            context.Error.WriteLine(
                $"{place}{perPass} tokens per pass, drafts accepted by place: {string.Join(' ', shares)}");
        }

        if (output == outputs[^1])
        {
            string wait = NumberText.Time(Stopwatch.GetElapsedTime(start, firstToken));
            context.Error.WriteLine($"{Speed()}, first token after {wait}");
        }
    }

    private string Speed()
    {
        int tokens = outputs.Sum(output => output.Tokens.Count);
        int used = outputs.Max(output => output.Prompt.Ids.Count + output.Tokens.Count);
        double seconds = Stopwatch.GetElapsedTime(firstToken == 0 ? start : firstToken).TotalSeconds;
        int decoded = tokens - outputs.Count(output => output.Tokens.Count > 0);
        double speed = decoded == 0 ? 0 : decoded / seconds;
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{tokens} tokens, {speed:0.00} tokens/s, context {used} of {engine.ContextLimit}");
    }

    private static string Id(TokenGenerated token, int place) => (place == 0 ? string.Empty : ",") + Whole(token.Id);

    private static string Whole(int value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Number(float value) => value.ToString("0.000000", CultureInfo.InvariantCulture);

    // What a model says may move the cursor or worse.
    private static string Harmless(string text) => string.Concat(text.Select(letter =>
        char.IsControl(letter) && letter is not ('\n' or '\t') ? $"\\u{(int)letter:x4}" : letter.ToString()));
}
