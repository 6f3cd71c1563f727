using System.Collections.Generic;
using System.Globalization;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Dumps;

/// <summary>A dump while and after it is opened: the readers add to it what they find.</summary>
/// <param name="path">The path as given.</param>
/// <param name="options">What the caller knows about it.</param>
internal sealed class OpenedDump(string path, DumpOptions options) : Dump
{
    /// <summary>The most tensors of one dump.</summary>
    public const int MaximumTensorCount = 1_000_000;

    private const int MaximumNoteCount = 200;

    private readonly List<DumpTensor> tensors = [];
    private readonly List<string> notes = [];
    private readonly SortedSet<string> formats = new(System.StringComparer.Ordinal);
    private int furtherNotes;

    /// <inheritdoc/>
    public override string Description => path;

    /// <inheritdoc/>
    public override string Format => formats.Count == 0 ? "nothing" : string.Join(" and ", formats);

    /// <inheritdoc/>
    public override IReadOnlyList<DumpTensor> Tensors => tensors;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Notes => furtherNotes == 0
        ? notes
        : [.. notes, string.Create(CultureInfo.InvariantCulture, $"and {furtherNotes} further notes")];

    /// <summary>What the caller knows.</summary>
    public DumpOptions Options => options;

    /// <summary>The open handles.</summary>
    public OpenFiles Files { get; } = new();

    /// <summary>The one view that is gathered in memory.</summary>
    public ExtentCache Extents { get; } = new();

    /// <summary>Adds a tensor.</summary>
    /// <param name="tensor">The tensor.</param>
    public void Add(DumpTensor tensor)
    {
        if (tensors.Count == MaximumTensorCount)
        {
            throw new InvalidInputException(path, string.Empty, $"more than {MaximumTensorCount} tensors");
        }

        tensors.Add(tensor);
    }

    /// <summary>Says what was not read, or what the reader should know.</summary>
    /// <param name="text">One line; names from the file are escaped here.</param>
    public void Note(string text)
    {
        if (notes.Count < MaximumNoteCount)
        {
            notes.Add(InvalidInputException.Escape(text));
        }
        else
        {
            furtherNotes++;
        }
    }

    /// <summary>Says which format was read.</summary>
    /// <param name="format">The format in words.</param>
    public void Read(string format) => formats.Add(format);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            Files.Dispose();
        }
    }
}
