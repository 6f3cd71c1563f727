using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Channels;
using System.Threading.Tasks;
using Microsoft.AspNetCore.Http;
using RingFlash.Reference.Generation;
using RingFlash.Reference.Numerics;

namespace RingFlash.Cli.Server;

/// <summary>Answers completions and chats: hands them to the engine, and its events to the client.</summary>
/// <param name="model">Who answers.</param>
/// <param name="settings">The server's limits.</param>
/// <param name="log">Takes errors that are our fault.</param>
internal sealed class GenerationEndpoint(ServedModel model, ServerSettings settings, Action<Exception> log)
{
    private const string RetryAfterSeconds = "1";

    /// <summary>Answers.</summary>
    /// <param name="http">The request.</param>
    /// <param name="call">What was read of it.</param>
    /// <param name="json">Writes the answers.</param>
    /// <param name="splitReasoning">Whether reasoning is told apart.</param>
    /// <returns>The wait.</returns>
    public async Task Answer(HttpContext http, GenerationCall call, AnswerJson json, bool splitReasoning)
    {
        using CancellationTokenSource abandon = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted);
        abandon.CancelAfter(settings.AnswerTime);
        if (call.IgnoredFields.Count > 0)
        {
            http.Response.Headers["X-Ignored-Fields"] = HeaderText(call.IgnoredFields);
        }

        try
        {
            IReadOnlyList<IAsyncEnumerable<GenerationEvent>>? sequences =
                model.Engine.TryGenerate(call.Requests(model), abandon.Token);
            if (sequences is null)
            {
                http.Response.Headers.RetryAfter = RetryAfterSeconds;
                throw new ApiException(
                    StatusCodes.Status429TooManyRequests,
                    "TooManyRequestsError",
                    $"{model.Capacity} answers are being computed or waited for, which is all this server takes on");
            }

            IAsyncEnumerable<ChoicePart>[] choices = [.. sequences.Select((events, index) =>
                new ChoiceReader(call, index, splitReasoning).Read(events, abandon.Token))];
            await (call.Fields.Stream
                ? Stream(http, call, json, choices, abandon.Token)
                : Whole(http, json, choices, abandon.Token)).ConfigureAwait(false);
        }
        catch (ObjectDisposedException)
        {
            throw ApiException.Stopping();
        }
        finally
        {
            await abandon.CancelAsync().ConfigureAwait(false); // sequences whose turn to be read never came
        }
    }

    private async Task Whole(
        HttpContext http,
        AnswerJson json,
        IReadOnlyList<IAsyncEnumerable<ChoicePart>> choices,
        CancellationToken abandon)
    {
        List<ChoicePart> answers = [];
        try
        {
            foreach (IAsyncEnumerable<ChoicePart> choice in choices)
            {
                answers.Add(ChoicePart.Join(await choice.ToListAsync(CancellationToken.None).ConfigureAwait(false)));
            }
        }
        catch (Exception exception) when (!http.RequestAborted.IsCancellationRequested)
        {
            throw Failure(exception, abandon);
        }

        await ResponseJson.Send(
            http.Response,
            StatusCodes.Status200OK,
            writer => json.WriteWhole(writer, answers),
            http.RequestAborted).ConfigureAwait(false);
    }

    private async Task Stream(
        HttpContext http,
        GenerationCall call,
        AnswerJson json,
        IReadOnlyList<IAsyncEnumerable<ChoicePart>> choices,
        CancellationToken abandon)
    {
        ResponseJson.BeginStream(http.Response);
        int generated = 0;
        try
        {
            await foreach (ChoicePart part in Merge(choices).ConfigureAwait(false))
            {
                generated += part.Ids.Count;
                if (json.Tells(part))
                {
                    await ResponseJson.SendEvent(
                        http.Response, writer => json.WriteChunk(writer, part), abandon).ConfigureAwait(false);
                }
            }

            if (call.Fields.IncludeUsage)
            {
                await ResponseJson.SendEvent(
                    http.Response, writer => json.WriteUsageChunk(writer, generated), abandon).ConfigureAwait(false);
            }
        }
        catch (Exception exception) when (!http.RequestAborted.IsCancellationRequested)
        {
            // The status is sent; the error is an event of its own, as in vLLM.
            await ResponseJson.SendEvent(
                http.Response, Failure(exception, abandon).Write, http.RequestAborted).ConfigureAwait(false);
        }

        await ResponseJson.EndStream(http.Response, http.RequestAborted).ConfigureAwait(false);
    }

    private ApiException Failure(Exception exception, CancellationToken abandon)
    {
        switch (exception)
        {
            case OperationCanceledException when abandon.IsCancellationRequested:
                return new ApiException(
                    StatusCodes.Status504GatewayTimeout,
                    "TimeoutError",
                    $"the answer was not complete after {settings.AnswerTime.TotalSeconds:0.###} s");
            case OperationCanceledException: // the engine was stopped
                return ApiException.Stopping();
            case InvalidInputException: // of the model, not of the request: that was checked before
                log(exception);
                return ApiException.OurFault(exception.Message);
            default:
                log(exception);
                return ApiException.OurFault($"internal error: {exception.GetType().Name}");
        }
    }

    // Parts of all answers as they come; those of one answer stay in order.
    private static IAsyncEnumerable<ChoicePart> Merge(IReadOnlyList<IAsyncEnumerable<ChoicePart>> choices)
    {
        if (choices.Count == 1)
        {
            return choices[0];
        }

        Channel<ChoicePart> merged = Channel.CreateUnbounded<ChoicePart>();
        _ = Complete();
        return merged.Reader.ReadAllAsync();

        async Task Complete()
        {
            try
            {
                await Task.WhenAll(choices.Select(Copy)).ConfigureAwait(false);
                merged.Writer.Complete();
            }
            catch (Exception exception)
            {
                merged.Writer.Complete(exception);
            }
        }

        async Task Copy(IAsyncEnumerable<ChoicePart> choice)
        {
            await foreach (ChoicePart part in choice.ConfigureAwait(false))
            {
                merged.Writer.TryWrite(part);
            }
        }
    }

    private static string HeaderText(IReadOnlyList<string> names)
    {
        const int MostNames = 20, LongestName = 64;
        return string.Join(", ", names.Take(MostNames).Select(name => string.Concat(name
            .Take(LongestName)
            .Select(character => char.IsAsciiLetterOrDigit(character) || character is '_' or '-' or '.'
                ? character
                : '?'))));
    }
}
