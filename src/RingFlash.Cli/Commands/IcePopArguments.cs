using System;
using System.Collections.Generic;
using System.CommandLine;
using System.Globalization;
using System.IO;
using System.Linq;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Objective;
using RingFlash.Reference.Objective.Profiles;

namespace RingFlash.Cli.Commands;

/// <summary>What the commands of <c>icepop</c> understand by a case, a profile and a precision.</summary>
internal static class IcePopArguments
{
    private static readonly string[] Patterns = ["case_*.json", "*.safetensors"];

    /// <summary>The option that names a profile.</summary>
    /// <returns>A new option.</returns>
    public static Option<string> ProfileOption() => new("--profile")
    {
        Description = "Whose objective: the published one, or what a framework really does; see icepop profiles.",
        HelpName = "NAME",
        DefaultValueFactory = _ => "paper",
    };

    /// <summary>The option that names a precision.</summary>
    /// <param name="description">What it decides.</param>
    /// <returns>A new option.</returns>
    public static Option<string?> PrecisionOption(string description) =>
        new("--precision") { Description = description, HelpName = "float64|float32" };

    /// <summary>Finds a profile.</summary>
    /// <param name="name">Its name.</param>
    /// <returns>The profile.</returns>
    /// <exception cref="UsageException">There is none; the nearest names are shown.</exception>
    public static ObjectiveProfile Profile(string? name)
    {
        string wanted = name ?? string.Empty;
        if (ObjectiveProfiles.TryFind(wanted, out ObjectiveProfile? profile))
        {
            return profile;
        }

        IEnumerable<string> nearest = ObjectiveProfiles.All.Select(one => one.Name)
            .OrderBy(known => Distance(wanted, known)).ThenBy(known => known, StringComparer.Ordinal).Take(5);
        throw new UsageException(
            $"--profile: no profile '{wanted}'; nearest are {string.Join(", ", nearest)}; "
            + "ringflash icepop profiles lists all");
    }

    /// <summary>Reads cases for a profile.</summary>
    /// <param name="file">The case file.</param>
    /// <param name="profile">The profile.</param>
    /// <returns>The case.</returns>
    /// <exception cref="InvalidInputException">The file breaks a rule, or holds a log-probability above 0 where the
    /// profile needs probabilities.</exception>
    public static IcePopCaseFile ReadCase(string file, ObjectiveProfile profile)
    {
        IcePopCaseFile loss = IcePopCaseFile.ReadAny(file);
        RolloutBatch batch = loss.Batch;
        for (int index = 0; profile.NeedsProbabilities && index < batch.ResponseMask.Length; index++)
        {
            double highest = Math.Max(batch.OldLogProbabilities[index], batch.InferenceLogProbabilities[index]);
            if (batch.ResponseMask[index] != 0 && highest > 0)
            {
                throw new InvalidInputException(
                    file,
                    $"rollout {index / batch.ResponseLength}, token {index % batch.ResponseLength}",
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"profile {profile.Name} needs probabilities; found the log-probability {highest:R}, above 0"));
            }
        }

        return loss;
    }

    /// <summary>Understands a precision.</summary>
    /// <param name="text">The word, or null.</param>
    /// <returns>Whether it is float32; null without a word.</returns>
    /// <exception cref="UsageException">It is another word.</exception>
    public static bool? IsSingle(string? text) => text switch
    {
        null => null,
        "float64" => false,
        "float32" => true,
        _ => throw new UsageException($"--precision: must be float64 or float32; found '{text}'"),
    };

    /// <summary>An input that must be a file.</summary>
    /// <param name="path">As the user gave it.</param>
    /// <param name="currentDirectory">Where relative paths start.</param>
    /// <param name="option">The option, for the message.</param>
    /// <returns>The full path.</returns>
    public static string InputFile(string? path, string currentDirectory, string option)
    {
        string full = Full(path ?? string.Empty, currentDirectory, option);
        return File.Exists(full) ? full : throw new EnvironmentException(path!, "there is no such file");
    }

    /// <summary>The case files that paths name.</summary>
    /// <param name="paths">Files, or folders of case_*.json and *.safetensors.</param>
    /// <param name="currentDirectory">Where relative paths start.</param>
    /// <param name="option">The option or argument, for messages.</param>
    /// <returns>Full paths, each once, folders in the order of their names.</returns>
    public static IReadOnlyList<string> CaseFiles(
        IReadOnlyList<string> paths, string currentDirectory, string option)
    {
        List<string> files = [];
        foreach (string path in paths)
        {
            string full = Full(path, currentDirectory, option);
            if (File.Exists(full))
            {
                files.Add(full);
                continue;
            }

            string[] found = Directory.Exists(full)
                ? [.. Patterns.SelectMany(pattern => Directory.GetFiles(full, pattern)).Order(StringComparer.Ordinal)]
                : throw new EnvironmentException(path, "there is no such file or folder");
            files.AddRange(found.Length > 0
                ? found
                : throw new EnvironmentException(path, "no case_*.json and no *.safetensors in this folder"));
        }

        return [.. files.Distinct(StringComparer.Ordinal)];
    }

    private static string Full(string path, string currentDirectory, string option) =>
        path.Trim().Length == 0 || path.Contains('\0')
            ? throw new UsageException($"{option} is empty")
            : Path.GetFullPath(path, currentDirectory);

    // Levenshtein, but a name that begins with what was typed is near however long it is.
    private static int Distance(string typed, string known)
    {
        if (typed.Length > 0 && known.StartsWith(typed, StringComparison.OrdinalIgnoreCase))
        {
            return 0;
        }

        int[] row = [.. Enumerable.Range(0, known.Length + 1)];
        for (int i = 1; i <= typed.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= known.Length; j++)
            {
                int substituted = diagonal + (typed[i - 1] == known[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(substituted, Math.Min(row[j], row[j - 1]) + 1);
            }
        }

        return row[known.Length];
    }
}
