using System;
using System.Collections.Generic;
using System.IO;
using System.Security.Cryptography;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Tokenization;

namespace RingFlash.Reference.Comparison;

/// <summary>Whether two folders hold the same tokenizer and chat template, by their SHA-256.</summary>
internal static class TokenizerDifference
{
    /// <summary>Compares.</summary>
    /// <param name="ours">The reference's folder; null without one.</param>
    /// <param name="theirs">The candidate's; null without one.</param>
    /// <returns>A finding for each of the two.</returns>
    public static IReadOnlyList<PreflightFinding> Find(string? ours, string? theirs) =>
    [
        Compare("tokenizer", Tokenizer(ours), Tokenizer(theirs)),
        Compare("template", Template(ours), Template(theirs)),
    ];

    private static PreflightFinding Compare(string what, string? ours, string? theirs) =>
        ours is null || theirs is null
            ? new PreflightFinding(what, PreflightSeverity.Fine, $"{what}: not known on both sides")
        : ours == theirs
            ? new PreflightFinding(what, PreflightSeverity.Fine, $"{what}: equal")
            : new PreflightFinding(
                what,
                PreflightSeverity.Warning,
                $"{what}: SHA-256 {theirs[..12]}… where the reference has {ours[..12]}…; a text becomes other ids");

    private static string? Tokenizer(string? folder)
    {
        string path = Path.Combine(folder ?? ".", "tokenizer.json");
        if (folder is null || !File.Exists(path))
        {
            return null;
        }

        try
        {
            using FileStream stream = File.OpenRead(path);
            return Convert.ToHexStringLower(SHA256.HashData(stream));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static string? Template(string? folder)
    {
        try
        {
            return folder is null ? null : ChatFormat.TemplateHash(folder);
        }
        catch (Exception exception) when (exception is InvalidInputException or EnvironmentException)
        {
            return null;
        }
    }
}
