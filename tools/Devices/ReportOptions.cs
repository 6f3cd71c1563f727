using System;
using System.Collections.Generic;
using System.IO;
using RingFlash.Reference.Numerics;

namespace RingFlash.Devices;

/// <summary>What <c>report</c> was told.</summary>
internal sealed record ReportOptions
{
    /// <summary>Runs everything small on ILGPU's CPU accelerator, to show that it runs; no time is kept.</summary>
    public bool IsRehearsal { get; init; }

    /// <summary>The folder of golden cases.</summary>
    public string Golden { get; init; } = "golden";

    /// <summary>The test program; null to leave the tests out.</summary>
    public string? Tests { get; init; }

    /// <summary>Where the report goes as JSON; null for nowhere.</summary>
    public string? Json { get; init; }

    /// <summary>The engine under test.</summary>
    public ExecutionEngine Engine => IsRehearsal ? ExecutionEngine.IlgpuCpu : ExecutionEngine.Cuda;

    /// <summary>Reads the words behind <c>report</c>.</summary>
    /// <param name="words">The words.</param>
    /// <returns>The options; null when a word is not known.</returns>
    public static ReportOptions? Parse(ReadOnlySpan<string> words)
    {
        ReportOptions options = new();
        for (int i = 0; i < words.Length; i++)
        {
            if (words[i] == "--rehearse")
            {
                options = options with { IsRehearsal = true };
                continue;
            }

            if (i + 1 == words.Length)
            {
                return null;
            }

            string value = words[++i];
            switch (words[i - 1])
            {
                case "--golden":
                    options = options with { Golden = value };
                    break;
                case "--tests":
                    options = options with { Tests = value };
                    break;
                case "--json":
                    options = options with { Json = value };
                    break;
                default:
                    return null;
            }
        }

        return options;
    }

    /// <summary>Names what is missing.</summary>
    /// <returns>One line per missing file or folder.</returns>
    public IEnumerable<string> Missing()
    {
        if (!Directory.Exists(Golden))
        {
            yield return $"--golden: {Golden} is not a folder";
        }

        if (Tests is not null && !File.Exists(Tests))
        {
            yield return $"--tests: {Tests} is not a file";
        }
    }
}
