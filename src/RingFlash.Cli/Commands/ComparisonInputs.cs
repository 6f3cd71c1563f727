using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Threading;
using RingFlash.Reference.Comparison;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Dumps;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Tokenization;
using RingFlash.Reference.Verification;

namespace RingFlash.Cli.Commands;

/// <summary>What somebody types to compare two sides; every command that does takes these.</summary>
/// <param name="Reference">A golden case folder, or a model.</param>
/// <param name="Candidate">A dump.</param>
internal sealed record ComparisonRequest(string Reference, string Candidate)
{
    /// <summary>The token ids of one sequence; null to take those of the candidate.</summary>
    public string? Ids { get; init; }

    /// <summary>The checkpoint folder of a case of real weights.</summary>
    public string? Model { get; init; }

    /// <summary>A shipped map or a map file; null for the one that fits best.</summary>
    public string? Map { get; init; }

    /// <summary>What the dump does not say itself.</summary>
    public CandidateLayout Layout { get; init; } = new();
}

/// <summary>Both sides of a comparison, open.</summary>
internal sealed class ComparisonInputs : IDisposable
{
    private readonly Dump dump;

    private ComparisonInputs(
        ComparisonReference reference, Dump dump, Candidate candidate, string? folder, ModelTokenizer? tokenizer)
    {
        Reference = reference;
        this.dump = dump;
        Candidate = candidate;
        Folder = folder;
        Tokenizer = tokenizer;
    }

    /// <summary>The reference.</summary>
    public ComparisonReference Reference { get; }

    /// <summary>The candidate, in our names.</summary>
    public Candidate Candidate { get; }

    /// <summary>The reference's checkpoint folder; null without one.</summary>
    public string? Folder { get; }

    /// <summary>The reference's tokenizer; null without one.</summary>
    public ModelTokenizer? Tokenizer { get; }

    /// <summary>Opens both.</summary>
    /// <param name="request">What was typed.</param>
    /// <param name="currentDirectory">Where relative paths start.</param>
    /// <returns>Both sides.</returns>
    /// <exception cref="UsageException">The ids are missing or malformed.</exception>
    public static ComparisonInputs Open(ComparisonRequest request, string currentDirectory)
    {
        string path = Full(request.Candidate, "CANDIDATE", currentDirectory);
        if (!Path.Exists(path))
        {
            throw new EnvironmentException(request.Candidate, "there is no such file or folder");
        }

        string golden = request.Reference.Contains('\0') || request.Reference.Trim().Length == 0
            ? throw new UsageException("REFERENCE is empty")
            : Path.GetFullPath(request.Reference, currentDirectory);
        string? checkpoint = request.Model is null ? null : Full(request.Model, "--model", currentDirectory);
        ModelTokenizer? tokenizer = null;
        string? folder = checkpoint;
        ComparisonReference? reference = null;
        Dump? dump = null;
        try
        {
            if (File.Exists(Path.Combine(golden, "case.json")))
            {
                if (request.Ids is not null)
                {
                    throw new UsageException("--ids: a golden case has its own token ids");
                }

                reference = ComparisonReference.FromGolden(GoldenCase.Open(golden, checkpoint));
                dump = OpenDump(path, reference.Configuration);
            }
            else
            {
                ModelName model = ModelName.Open(request.Reference, currentDirectory);
                try
                {
                    dump = OpenDump(path, model.Configuration);
                    ForwardInput input = request.Ids is null
                        ? FromDump(dump, model.Configuration, request.Candidate)
                        : FromText(request.Ids, model.Configuration);
                    tokenizer = GenerationModel.TokenizerOf(model);
                    folder = model.Folder;
                    reference = ComparisonReference.FromModel(
                        request.Reference, model.Configuration, model.Weights, input);
                }
                catch
                {
                    model.Dispose();
                    throw;
                }
            }

            NameMap? map = request.Map is null ? null : CandidateReader.FindMap(
                request.Map.EndsWith(".json", StringComparison.OrdinalIgnoreCase)
                    ? Path.GetFullPath(request.Map, currentDirectory)
                    : request.Map);
            Candidate candidate =
                new CandidateReader(reference.Configuration, reference.Input, request.Layout).Read(dump, map);
            return new ComparisonInputs(reference, dump, candidate, folder, tokenizer);
        }
        catch
        {
            reference?.Dispose();
            dump?.Dispose();
            throw;
        }
    }

    /// <summary>Looks at what must be equal before any number is compared.</summary>
    /// <param name="path">The dump, as it was typed.</param>
    /// <param name="currentDirectory">Where relative paths start.</param>
    /// <param name="cancellation">Stops between pieces of weights.</param>
    /// <returns>What was found.</returns>
    public PreflightReport Preflight(string path, string currentDirectory, CancellationToken cancellation) =>
        RingFlash.Reference.Comparison.Preflight.Run(
            Reference.Configuration,
            Reference.Input,
            Reference.Weights,
            Candidate,
            Path.GetFullPath(path, currentDirectory),
            Folder,
            cancellation);

    /// <inheritdoc/>
    public void Dispose()
    {
        Reference.Dispose();
        dump.Dispose();
    }

    private static string Full(string path, string what, string currentDirectory) =>
        path.Trim().Length == 0 || path.Contains('\0')
            ? throw new UsageException($"{what} is empty")
            : Path.GetFullPath(path, currentDirectory);

    private static Dump OpenDump(string path, ModelConfiguration configuration) =>
        Dump.Open(path, new DumpOptions { VocabularySize = configuration.VocabularySize });

    private static ForwardInput FromText(string text, ModelConfiguration configuration)
    {
        long[] ids = [.. CommaList.Split(text, "--ids").Select(word =>
            long.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out long id)
                ? id
                : throw new UsageException($"--ids: '{word}' is not a token id"))];
        Check(ids, configuration, bad => throw new UsageException($"--ids: {bad}"));
        return new ForwardInput(ids, 1);
    }

    private static ForwardInput FromDump(Dump dump, ModelConfiguration configuration, string path)
    {
        DumpTensor[] found = [.. dump.Tensors.Where(tensor => tensor.Name.Split('.')[^1] == "input_ids")];
        if (found.Length != 1 || found[0].Shape.Count is 0 or > 2)
        {
            throw new UsageException(
                $"--ids: a model needs token ids, and {path} has "
                + (found.Length == 0 ? "no input_ids" : "no input_ids of the shape [batch, tokens]"));
        }

        DumpTensor tensor = found[0];
        long count = tensor.Shape.Aggregate(1L, (product, axis) => product * axis);
        int batch = tensor.Shape.Count == 2 ? (int)Math.Min(tensor.Shape[0], int.MaxValue) : 1;
        if (count == 0 || count > configuration.MaxPositionEmbeddings * (long)Math.Max(1, batch))
        {
            throw new InvalidInputException(
                tensor.Place,
                tensor.Name,
                $"{count} token ids; the model has {configuration.MaxPositionEmbeddings} positions");
        }

        long[] ids = new long[count];
        tensor.ReadInt64(0, ids);
        Check(ids, configuration, bad => throw new InvalidInputException(tensor.Place, tensor.Name, bad));
        return new ForwardInput(ids, batch);
    }

    private static void Check(long[] ids, ModelConfiguration configuration, Action<string> refuse)
    {
        int bad = Array.FindIndex(ids, id => id < 0 || id >= configuration.VocabularySize);
        if (bad >= 0)
        {
            refuse($"{ids[bad]} is not in the vocabulary of {configuration.VocabularySize}");
        }
    }
}
