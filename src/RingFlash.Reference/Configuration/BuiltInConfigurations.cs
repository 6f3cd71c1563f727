using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using System.Text.Json;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Configuration;

/// <summary>One value of a built-in configuration and what it rests on.</summary>
/// <param name="Key">The key of <c>config.json</c>.</param>
/// <param name="Value">The value as JSON.</param>
/// <param name="Basis">How it is known: counted, seen, inferred, class default, uncertain; and from what.</param>
public sealed record ValueBasis(string Key, string Value, string Basis);

/// <summary>A configuration that needs no file.</summary>
/// <param name="Name">The name, e.g. <c>ring-flash-2.0</c>.</param>
/// <param name="Json">The <c>config.json</c>, as it would be written into a checkpoint folder.</param>
/// <param name="Configuration">The same, read.</param>
/// <param name="Values">Every value with its basis, in the order of the text.</param>
public sealed record BuiltInConfiguration(
    string Name, string Json, ModelConfiguration Configuration, IReadOnlyList<ValueBasis> Values);

/// <summary>
/// The two published sizes. Their own <c>config.json</c> was not available when this was written, so every value says
/// what it rests on; a checkpoint's own file always wins.
/// </summary>
public static partial class BuiltInConfigurations
{
    private static readonly Lazy<BuiltInConfiguration> Flash = new(BuildFlash);

    private static readonly Lazy<BuiltInConfiguration> Mini = new(BuildMini);

    /// <summary>The names that <see cref="Get"/> knows.</summary>
    public static IReadOnlyList<string> Names { get; } = Array.AsReadOnly(["ring-flash-2.0", "ring-mini-2.0"]);

    /// <summary>Finds a built-in configuration.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <returns>The configuration with its evidence.</returns>
    /// <exception cref="InvalidInputException">There is none of that name.</exception>
    public static BuiltInConfiguration Get(string name) => name switch
    {
        "ring-flash-2.0" => Flash.Value,
        "ring-mini-2.0" => Mini.Value,
        _ => throw new InvalidInputException(
            name ?? "(none)",
            string.Empty,
            "no built-in configuration of this name; known: " + string.Join(", ", Names)),
    };

    private static BuiltInConfiguration BuildFlash() => Build("ring-flash-2.0", FlashJson, FlashBasis);

    private static BuiltInConfiguration BuildMini() => Build("ring-mini-2.0", MiniJson, MiniBasis);

    private static BuiltInConfiguration Build(
        string name, string json, IReadOnlyDictionary<string, string> ownBasis)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(json);
        ModelConfiguration configuration = ConfigurationReader.Read(bytes, "built-in:" + name);
        using JsonDocument document = JsonDocument.Parse(bytes);
        ValueBasis[] values = [.. document.RootElement.EnumerateObject().Select(property => new ValueBasis(
            property.Name,
            property.Value.GetRawText(),
            ownBasis.TryGetValue(property.Name, out string? own) ? own : CommonBasis[property.Name]))];
        return new BuiltInConfiguration(name, json, configuration, Array.AsReadOnly(values));
    }
}
