using System.Linq;
using RingFlash.Reference.Tokenization;

namespace RingFlash.Cli.Commands;

/// <summary>The value of <c>--template</c>.</summary>
internal static class TemplateName
{
    /// <summary>The names, as help and messages list them.</summary>
    public static string List { get; } = string.Join(", ", ChatFormat.All.Select(format => format.Name));

    /// <summary>Finds a chat format.</summary>
    /// <param name="name">Its name.</param>
    /// <returns>The format.</returns>
    /// <exception cref="UsageException">There is none of this name.</exception>
    public static ChatFormat Parse(string name) =>
        ChatFormat.All.FirstOrDefault(format => format.Name == name)
        ?? throw new UsageException($"--template: '{name}' is not a chat format; known are {List}");
}
