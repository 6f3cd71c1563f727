using System;
using System.Collections.Generic;
using System.Linq;

namespace RingFlash.Cli.ServerCheck;

/// <summary>Something odd that a server did.</summary>
/// <param name="Kind">What.</param>
/// <param name="Place">The request, and where in its answer.</param>
/// <param name="Detail">What was found; may be empty.</param>
/// <param name="Count">How often; the place and the detail are the first one's.</param>
internal sealed record Oddity(OddityKind Kind, string Place, string Detail, int Count = 1);

/// <summary>Collects oddities; those of one kind are one line.</summary>
internal sealed class OddityList
{
    private readonly List<Oddity> found = [];

    /// <summary>What was found, in the order in which it was.</summary>
    public IReadOnlyList<Oddity> Found => found;

    /// <summary>Whether there is one of this weight.</summary>
    /// <param name="weight">The weight.</param>
    /// <returns>The answer.</returns>
    public bool Any(OddityWeight weight) => found.Any(oddity => oddity.Kind.Weight == weight);

    /// <summary>Notes one.</summary>
    /// <param name="kind">What.</param>
    /// <param name="place">Where.</param>
    /// <param name="detail">What was found.</param>
    public void Add(OddityKind kind, string place, string detail = "") => Add(new Oddity(kind, place, detail));

    /// <summary>Notes one.</summary>
    /// <param name="oddity">The oddity.</param>
    public void Add(Oddity oddity)
    {
        int index = found.FindIndex(known => known.Kind == oddity.Kind);
        if (index < 0)
        {
            found.Add(oddity);
        }
        else
        {
            found[index] = found[index] with { Count = found[index].Count + oddity.Count };
        }
    }
}

/// <summary>An oddity after which nothing more can be asked.</summary>
internal sealed class ServerFaultException : Exception
{
    /// <summary>Creates the error.</summary>
    /// <param name="kind">What.</param>
    /// <param name="place">The request, and where in its answer.</param>
    /// <param name="detail">What was found.</param>
    /// <param name="inner">The underlying error, shown with <c>--debug</c> only.</param>
    public ServerFaultException(OddityKind kind, string place, string detail, Exception? inner = null)
        : base(detail, inner) => Oddity = new Oddity(kind, place, detail);

    /// <summary>The oddity.</summary>
    public Oddity Oddity { get; }
}
