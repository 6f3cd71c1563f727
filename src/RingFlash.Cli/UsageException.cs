using System;
using RingFlash.Reference.Numerics;

namespace RingFlash.Cli;

/// <summary>A command line that asks for something that does not exist or contradicts itself.</summary>
internal sealed class UsageException : Exception
{
    /// <summary>Creates the error.</summary>
    /// <param name="message">One line: what was found and what would be right.</param>
    public UsageException(string message)
        : base(InvalidInputException.Escape(message))
    {
    }
}
