using System.Collections.Generic;
using System.CommandLine;

namespace RingFlash.Cli;

/// <summary>A command whose help ends with examples; without one a command cannot be made.</summary>
internal sealed class ToolCommand : Command
{
    /// <summary>Creates the command.</summary>
    /// <param name="name">The word.</param>
    /// <param name="description">What it does.</param>
    /// <param name="examples">At least one line that can be typed as it stands; <c>#</c> starts a remark.</param>
    public ToolCommand(string name, string description, params IReadOnlyList<string> examples)
        : base(name, description) => Examples = examples;

    /// <summary>Lines that can be typed as they stand.</summary>
    public IReadOnlyList<string> Examples { get; }
}
