using System;
using System.IO;

namespace RingFlash.Reference.Dumps;

/// <summary>Names that strangers chose.</summary>
internal static class Names
{
    /// <summary>Shortens a name: messages are cut at 600 characters, and the rule must stay in.</summary>
    /// <param name="name">A name from a file.</param>
    /// <returns>At most its first 120 characters.</returns>
    public static string Shown(string name) => name.Length <= 120 ? name : name[..120] + "…";

    /// <summary>Whether a name that a file gives means a file of its own folder, on any system.</summary>
    /// <param name="name">The name.</param>
    /// <returns>Whether it is a plain file name.</returns>
    public static bool IsPlainFile(string name) =>
        name.Length is > 0 and <= 4096
        && name is not ("." or "..")
        && name == Path.GetFileName(name)
        && name.AsSpan().IndexOfAny("\\:\0") < 0;
}
