using System;

namespace RingFlash.Reference.Numerics;

/// <summary>
/// The surroundings fail and the input is not to blame: a missing file, a full disk, an engine that this machine lacks,
/// a file that shrinks while it is read. One line, like <see cref="InvalidInputException"/>.
/// </summary>
/// <remarks>The command line turns it into exit code 5.</remarks>
public sealed class EnvironmentException : Exception
{
    /// <summary>Creates the error.</summary>
    /// <param name="source">The file, folder or device.</param>
    /// <param name="problem">What happened and what would help.</param>
    /// <param name="inner">The underlying error, shown with <c>--debug</c> only.</param>
    public EnvironmentException(string source, string problem, Exception? inner = null)
        : base(InvalidInputException.Escape($"{source}: {problem}"), inner)
    {
    }
}
