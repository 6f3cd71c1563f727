using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;

namespace RingFlash.Cli.ServerCheck;

/// <summary>What is asked of a server, in order; fills a report as far as it comes.</summary>
/// <remarks>
/// One request at a time, short prompts, few tokens: prompt log-probabilities have killed servers
/// (vllm-project/vllm#5907, #38830, #52054).
/// </remarks>
/// <param name="connection">The server.</param>
/// <param name="report">Filled.</param>
/// <param name="configuration">The model.</param>
internal sealed class ServerChecker(
    ServerConnection connection, ServerCheckReport report, ModelConfiguration configuration)
{
    /// <summary>Tokens that are generated at temperature 0.</summary>
    public const int GreedyTokens = 4;

    private readonly List<(int Sequence, ServedSequence Served, OddityList Oddities)> greedy = [];
    private readonly List<ServedSequence> alone = [];
    private bool promptScores = true;
    private bool experts = configuration.ExpertsPerToken > 0;
    private bool extras = true;

    /// <summary>How the server is spoken to; null to find out.</summary>
    public ServerDialect? Dialect { get; init; }

    /// <summary>Requests that are sent at once, in one more comparison; 1 for none.</summary>
    public int Concurrency { get; init; } = 1;

    /// <summary>Texts of prompts with our ids, whose tokens the server is asked for too.</summary>
    public IReadOnlyList<(string Text, IReadOnlyList<int> Ids)> Texts { get; init; } = [];

    /// <summary>Prompts that are not sent: with too few tokens the noise would be measured too small.</summary>
    public IReadOnlyList<IReadOnlyList<int>> NoisePrompts { get; init; } = [];

    /// <summary>Told what is going on.</summary>
    public Action<string> Progress { get; init; } = _ => { };

    /// <summary>Asks the server, runs our model, compares.</summary>
    /// <param name="run">Runs our model on sequences, with its own experts or others.</param>
    /// <param name="cancellation">Stops.</param>
    /// <returns>When the report is filled.</returns>
    /// <exception cref="ServerFaultException">Nothing more can be asked.</exception>
    public async Task Run(
        Func<IReadOnlyList<IReadOnlyList<int>>, RoutingReplay?, ReferenceRuns> run, CancellationToken cancellation)
    {
        Progress("asking who it is");
        report.Identity = await ServerIdentity.Ask(connection, Dialect, cancellation).ConfigureAwait(false);
        RefuseLongPrompts();
        await CompareTexts(cancellation).ConfigureAwait(false);
        await Preflight(cancellation).ConfigureAwait(false);
        for (int prompt = 0; prompt < report.Prompts.Count; prompt++)
        {
            Progress($"prompt {prompt + 1} of {report.Prompts.Count}");
            alone.Add((await Score([report.Prompts[prompt]], cancellation).ConfigureAwait(false))[0]);
        }

        NoteGaps();
        for (int prompt = 0; prompt < report.Prompts.Count; prompt++)
        {
            Progress($"prompt {prompt + 1} of {report.Prompts.Count} at temperature 0");
            OddityList oddities = new();
            IReadOnlyList<ServedSequence> answer = await Ask(
                new ScoreRequest([report.Prompts[prompt]], GreedyTokens) { Greedy = true, Experts = experts },
                oddities,
                cancellation).ConfigureAwait(false);
            greedy.Add((prompt, answer[0], oddities));
        }

        report.Invariance = await AskAgain(cancellation).ConfigureAwait(false);
        ServerComparison comparison = new(report, configuration, alone, greedy);
        List<IReadOnlyList<int>> sequences = Sequences();
        RoutingReplay? replay = comparison.Fill(
            await Task.Run(() => run(sequences, null), cancellation).ConfigureAwait(false));
        if (replay is not null)
        {
            comparison.Fill(await Task.Run(() => run(sequences, replay), cancellation).ConfigureAwait(false));
        }
    }

    private void RefuseLongPrompts()
    {
        foreach (IReadOnlyList<int> prompt in report.Prompts)
        {
            if (report.Identity!.LongestSequence is int longest && prompt.Count + GreedyTokens > longest)
            {
                throw new UsageException(
                    $"a prompt of {prompt.Count} tokens and {GreedyTokens} more do not fit into the server's "
                    + $"{longest}");
            }
        }
    }

    private List<IReadOnlyList<int>> Sequences() =>
    [
        .. report.Prompts.Select((prompt, index) => (IReadOnlyList<int>)
            [.. prompt, .. (greedy[index].Served.GeneratedIds ?? []).SkipLast(1).TakeWhile(InVocabulary)]),
        .. NoisePrompts,
    ];

    private bool InVocabulary(int id) => id < configuration.VocabularySize;

    private async Task CompareTexts(CancellationToken cancellation)
    {
        foreach ((string text, IReadOnlyList<int> ids) in Texts)
        {
            byte[] body = JsonSerializer.SerializeToUtf8Bytes(
                new { model = report.Identity!.ModelName, prompt = text, add_special_tokens = false });
            ServerReply reply = await connection.Post("tokenize", body, cancellation).ConfigureAwait(false);
            if (reply.Status != 200)
            {
                report.Oddities.Add(OddityKind.NoTokenisation, "POST /tokenize", $"{reply.Status}");
                return;
            }

            JsonElement root = connection.Require("tokenize", reply);
            IReadOnlyList<int> read = Shaped("POST /tokenize", () => new AnswerFields(root).Need("tokens").Integers());
            if (!read.SequenceEqual(ids))
            {
                report.Oddities.Add(
                    OddityKind.TokenisationDiffers,
                    "POST /tokenize",
                    $"[{string.Join(' ', read.Take(12))}], ours [{string.Join(' ', ids.Take(12))}]");
            }
        }
    }

    // vLLM's renderer tells what it would run without running it, where it is switched on.
    private async Task Preflight(CancellationToken cancellation)
    {
        if (report.Identity!.Dialect is not VllmDialect dialect)
        {
            return;
        }

        const string Path = "v1/completions/render";
        foreach (IReadOnlyList<int> prompt in report.Prompts)
        {
            byte[] body = dialect.Body(new ScoreRequest([prompt], 1), report.Identity.ModelName);
            ServerReply reply = await connection.Post(Path, body, cancellation).ConfigureAwait(false);
            if (reply.Status != 200)
            {
                return; // most servers have none, and every answer tells its ids
            }

            JsonElement root = connection.Require(Path, reply);
            Shaped($"POST /{Path}", () =>
            {
                AnswerFields fields = new(root);
                AnswerFields ids = (fields.IsArray ? fields.Items() : [fields])[0].Need("token_ids");
                AnswerReading.RequireIds(prompt, ids.Integers(), $"POST /{Path} {ids.Path}");
                return true;
            });
        }
    }

    private void NoteGaps()
    {
        if (alone.All(sequence => sequence.Prompt is null))
        {
            report.Oddities.Add(OddityKind.NoPrompt, $"POST /{report.Identity!.Dialect.Path}");
        }

        if (alone.Any(sequence => sequence.Generated is not { Count: > 0 }))
        {
            report.Oddities.Add(OddityKind.NoGenerated, $"POST /{report.Identity!.Dialect.Path}");
        }

        if (alone.All(sequence => sequence.Experts is null))
        {
            report.Oddities.Add(OddityKind.NoExperts, $"POST /{report.Identity!.Dialect.Path}");
        }
    }

    private async Task<IReadOnlyList<InvarianceRow>> AskAgain(CancellationToken cancellation)
    {
        List<InvarianceRow> rows = [];
        IReadOnlyList<int> longest = report.Prompts.MaxBy(prompt => prompt.Count)!;
        ServedSequence first = alone[report.Prompts.ToList().IndexOf(longest)];
        Progress("the same again");
        rows.Add(InvarianceRow.Of(
            "again", [(first, (await Score([longest], cancellation).ConfigureAwait(false))[0])]));
        if (longest.Count > 2)
        {
            IReadOnlyList<int> beginning = [.. longest.Take((longest.Count / 2) + 1)];
            rows.Add(InvarianceRow.Of(
                $"without its last {longest.Count - beginning.Count} tokens",
                [(first, (await Score([beginning], cancellation).ConfigureAwait(false))[0])]));
        }

        // vLLM computes the whole prompt where its log-probabilities are asked for, so a hit is seen without them only.
        ServedSequence hit = (await Ask(new ScoreRequest([longest], 1), report.Oddities, cancellation)
            .ConfigureAwait(false))[0];
        rows.Add(InvarianceRow.Of(
            "after a cache hit",
            [(first with { Prompt = null }, hit)],
            hit.CachedTokens is int cached ? $"{cached} of {longest.Count} tokens were in the cache" : string.Empty));
        if (report.Prompts.Count > 1)
        {
            Progress("all in one batch");
            rows.Add(await Batch(cancellation).ConfigureAwait(false));
        }

        if (Concurrency > 1)
        {
            Progress($"{Concurrency} requests at once");
            int[] prompts = [.. Enumerable.Range(0, Concurrency).Select(index => index % alone.Count)];
            IReadOnlyList<ServedSequence>[] answers = await Task.WhenAll(
                prompts.Select(prompt => Score([report.Prompts[prompt]], cancellation))).ConfigureAwait(false);
            rows.Add(InvarianceRow.Of(
                $"among {Concurrency} requests at once",
                answers.Select((answer, index) => (alone[prompts[index]], answer[0]))));
        }

        return rows;
    }

    private async Task<InvarianceRow> Batch(CancellationToken cancellation)
    {
        string name = $"in a batch of {report.Prompts.Count}";
        try
        {
            IReadOnlyList<ServedSequence> batch = await Score(report.Prompts, cancellation).ConfigureAwait(false);
            return InvarianceRow.Of(name, alone.Zip(batch));
        }
        catch (ServerFaultException exception) when (exception.Oddity.Kind == OddityKind.Refused)
        {
            return new InvarianceRow(name, new Differences(), "the server takes no lists of prompts");
        }
    }

    private Task<IReadOnlyList<ServedSequence>> Score(
        IReadOnlyList<IReadOnlyList<int>> prompts, CancellationToken cancellation) => Ask(
            new ScoreRequest(prompts, 1) { PromptScores = promptScores, Experts = experts },
            report.Oddities,
            cancellation);

    private async Task<IReadOnlyList<ServedSequence>> Ask(
        ScoreRequest request, OddityList oddities, CancellationToken cancellation)
    {
        ServerDialect dialect = report.Identity!.Dialect;
        request = request with { Extras = extras };
        while (true)
        {
            ServerReply reply = await connection.Post(
                dialect.Path, dialect.Body(request, report.Identity.ModelName), cancellation).ConfigureAwait(false);
            string message = reply.Status is 400 or 422 ? ServerConnection.Message(reply) : string.Empty;
            if (message.Length > 0 && ServerDialect.Less(request, message) is (ScoreRequest less, string without))
            {
                oddities.Add(
                    OddityKind.FieldRefused,
                    $"POST /{dialect.Path}",
                    $"{reply.Status} {message}; left out: {without}");
                experts &= less.Experts || !request.Experts;
                promptScores &= less.PromptScores || !request.PromptScores;
                extras = less.Extras;
                request = less;
                continue;
            }

            JsonElement root = connection.Require(dialect.Path, reply);
            return Shaped(
                $"POST /{dialect.Path}",
                () => dialect.Read(
                    new AnswerFields(root),
                    request,
                    new AnswerReading(configuration, report.Names, oddities)));
        }
    }

    private static T Shaped<T>(string name, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (InvalidInputException exception)
        {
            throw new ServerFaultException(
                OddityKind.WrongShape, name, $"{exception.Place} {exception.Rule}", exception);
        }
    }
}
