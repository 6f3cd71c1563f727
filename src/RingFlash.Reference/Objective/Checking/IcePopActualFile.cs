using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Objective.Checking;

/// <summary>Somebody's results for one case.</summary>
/// <param name="Name">The case's name; null where the file holds one result and does not say for which case.</param>
/// <param name="IsSingle">Whether the numbers were computed in float32; null where the file does not say.</param>
/// <param name="Error">What their loss raised on this case; null where it gave numbers.</param>
/// <param name="Unknown">Keys that no quantity has: shown, because a misspelt name must not pass as compared.</param>
/// <param name="ReadValues">Reads the values for a case of the same shape.</param>
public sealed record IcePopActual(
    string? Name,
    bool? IsSingle,
    string? Error,
    IReadOnlyList<string> Unknown,
    Func<IcePopCaseFile, IcePopExpectation> ReadValues);

/// <summary>Somebody's results, as JSON or safetensors.</summary>
/// <remarks>
/// <para>JSON: an object for one case, with any of the names of <c>reference_f64</c> (<c>loss</c> and <c>grad</c> keyed
/// by aggregation, <c>keep</c>, <c>weight</c>, <c>metrics</c>, …), or <c>{"cases": […]}</c> with one such object for
/// each case. <c>case</c> names the case; <c>precision</c>, of the file or of a case, is "float64" or "float32";
/// <c>error</c> says what the loss raised. This is what <c>ringflash icepop eval --json</c> writes.</para>
/// <para>safetensors: <c>loss.AGGREGATION</c> of shape [], <c>grad.AGGREGATION</c>, <c>keep</c>, <c>weight</c>,
/// <c>log_k</c>, <c>r</c>, <c>ppo_clipped</c>, <c>per_token_loss</c>, [rollouts, response]; with several cases each
/// name begins with the case's and a slash. Metadata <c>case</c> and <c>precision</c>. This is what <c>--out</c>
/// writes.</para>
/// </remarks>
public sealed partial class IcePopActualFile : IDisposable
{
    /// <summary>The largest JSON file that is read.</summary>
    public const long MaximumBytes = 1L << 30;

    private static readonly string[] Quantities =
    [
        "keep", "keep_ratio_space", "log_k", "weight", "r", "ppo_clipped", "per_token_loss", "loss", "grad",
        "analytic_grad", "kl", "metrics",
    ];

    private static readonly string[] Remarks =
        ["case", "id", "schema", "precision", "profile", "error", "compared", "difference", "cases"];

    private readonly IDisposable _content;

    private IcePopActualFile(string path, IDisposable content, IReadOnlyList<IcePopActual> results)
    {
        Path = path;
        _content = content;
        Results = results;
    }

    /// <summary>The file as the user named it.</summary>
    public string Path { get; }

    /// <summary>One result for each case, in the order of the file.</summary>
    public IReadOnlyList<IcePopActual> Results { get; }

    /// <summary>Opens a file; values are read when a case asks for them.</summary>
    /// <param name="path">The file.</param>
    /// <returns>The file.</returns>
    /// <exception cref="InvalidInputException">The file breaks a rule.</exception>
    /// <exception cref="EnvironmentException">The file cannot be read.</exception>
    public static IcePopActualFile Open(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        IcePopActualFile file = IcePopCaseFile.IsSafetensors(path) ? OpenSafetensors(path) : OpenJson(path);
        string? twice = file.Results.GroupBy(result => result.Name)
            .FirstOrDefault(group => group.Key is not null && group.Count() > 1)?.Key;
        return twice is null
            ? file
            : throw new InvalidInputException(path, twice, "two results for one case");
    }

    /// <inheritdoc/>
    public void Dispose() => _content.Dispose();

    private static IcePopActualFile OpenJson(string path)
    {
        FileInfo file = new(path);
        if (file.Exists && file.Length > MaximumBytes)
        {
            throw new InvalidInputException(
                path,
                string.Empty,
                $"at most {MaximumBytes} bytes of JSON; write larger results as safetensors");
        }

        JsonDocument document = StrictJson.Parse(File.ReadAllBytes(path), path);
        CaseJson json = new(path);
        JsonElement root = document.RootElement;
        if (root.ValueKind != JsonValueKind.Object)
        {
            throw json.Refuse("$", "must be an object");
        }

        bool? single = Precision(json, root, "$");
        if (!json.Has(root, "cases"))
        {
            return new IcePopActualFile(path, document, [Result(json, root, "$", single)]);
        }

        List<IcePopActual> results = [];
        foreach (JsonElement item in json.Get(root, "$", "cases", JsonValueKind.Array).EnumerateArray())
        {
            string place = $"$.cases[{results.Count}]";
            IcePopActual result = Result(json, item, place, single);
            results.Add(result.Name is not null ? result : throw json.Refuse($"{place}.case", "required; no such key"));
        }

        return new IcePopActualFile(path, document, results);
    }

    private static IcePopActual Result(CaseJson json, JsonElement item, string place, bool? single)
    {
        if (item.ValueKind != JsonValueKind.Object)
        {
            throw json.Refuse(place, "must be an object");
        }

        return new IcePopActual(
            json.Text(item, place, "case"),
            Precision(json, item, place) ?? single,
            json.Text(item, place, "error"),
            [
                .. item.EnumerateObject().Select(property => property.Name)
                    .Where(name => !Quantities.Contains(name) && !Remarks.Contains(name)),
            ],
            file => IcePopCaseFile.ReadExpectation(
                json, item, place, file.Batch.Rollouts, file.Batch.ResponseLength));
    }

    private static bool? Precision(CaseJson json, JsonElement parent, string place) =>
        json.Text(parent, place, "precision") switch
        {
            null => null,
            "float64" => false,
            "float32" => true,
            string other => throw json.Refuse(
                $"{place}.precision", $"must be \"float64\" or \"float32\"; found \"{other}\""),
        };
}
