using System;
using System.CommandLine;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Objective;
using RingFlash.Reference.Objective.Checking;

namespace RingFlash.Cli.Commands;

/// <summary><c>ringflash icepop cases</c>: fresh cases with expected values, for other languages to load.</summary>
internal static class IcePopCasesCommand
{
    private const int MaximumCount = 100_000;

    /// <summary>Creates the command.</summary>
    /// <param name="context">The outside world.</param>
    /// <returns>The command.</returns>
    public static Command Create(ToolContext context)
    {
        Option<string> output = new("--out")
        {
            Description = "The folder to write to; made when missing. It must not hold cases.",
            HelpName = "DIR",
            Required = true,
        };
        Option<ulong> seed = new("--seed")
        {
            Description = "The seed of the first case; the same seed gives the same files.",
            HelpName = "N",
            DefaultValueFactory = _ => 1,
        };
        Option<int> count = new("--count")
        {
            Description = "How many cases.",
            HelpName = "N",
            DefaultValueFactory = _ => 20,
        };
        Option<bool> edge = new("--edge")
        {
            Description = "As many again with NaN and infinities in padding and tokens, empty rows, all out of band.",
        };
        ToolCommand command = new(
            "cases",
            "Writes random cases with expected values in the schema of golden/icepop.",
            "ringflash icepop cases --out cases --seed 7 --count 50 --edge",
            "python3 tools/icepop/my_loss_numpy.py cases --out mine.json   # then icepop check --cases cases")
        {
            output, seed, count, edge,
        };
        command.SetAction((parsed, cancellation) =>
        {
            int cases = parsed.GetValue(count);
            if (cases is < 1 or > MaximumCount)
            {
                throw new UsageException($"--count: must be from 1 to {MaximumCount}; found {cases}");
            }

            string folder = Folder(parsed.GetValue(output), context.CurrentDirectory);
            int written = 0;
            foreach ((IcePopCaseFile loss, ulong from) in FreshCases.Make(
                parsed.GetValue(seed), cases, parsed.GetValue(edge)))
            {
                cancellation.ThrowIfCancellationRequested();
                string name = string.Create(CultureInfo.InvariantCulture, $"case_{loss.Id:D5}_{loss.Name}.json");
                AtomicFile.Write(
                    Path.Combine(folder, name), stream => IcePopCaseWriter.Write(stream, loss, from));
                written++;
            }

            context.Output.WriteLine($"{written} cases written to {InvalidInputException.Escape(folder)}");
            return Task.FromResult(ExitCodes.WithinBudget);
        });
        return command;
    }

    private static string Folder(string? path, string currentDirectory)
    {
        if (string.IsNullOrWhiteSpace(path) || path.Contains('\0'))
        {
            throw new UsageException("--out needs a folder");
        }

        string folder = Path.GetFullPath(path, currentDirectory);
        if (File.Exists(folder))
        {
            throw new EnvironmentException(path, "is a file, a folder is needed");
        }

        // Cases of another seed beside these would be loaded with them, and nobody would notice.
        if (Directory.Exists(folder) && Directory.EnumerateFiles(folder, "case_*").Any())
        {
            throw new UsageException($"--out {path}: already holds cases; name another folder");
        }

        try
        {
            Directory.CreateDirectory(folder);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new EnvironmentException(path, $"cannot be made: {exception.Message}", exception);
        }

        return folder;
    }
}
