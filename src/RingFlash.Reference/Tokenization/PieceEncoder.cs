using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using Microsoft.ML.Tokenizers;

namespace RingFlash.Reference.Tokenization;

/// <summary>
/// Turns a piece into tokens. Short pieces, all of natural text, are merged by Microsoft.ML.Tokenizers and remembered;
/// long ones by <see cref="BytePairMerger"/>, because the library's time grows with the square of the length.
/// </summary>
internal sealed class PieceEncoder
{
    // Above this the library is slower than the heap.
    private const int LongestForLibrary = 256;

    // English and Korean words of a large corpus; about 20 MB when it is full.
    private const int LongestRemembered = 48;
    private const int MostRemembered = 1 << 17;

    private readonly BpeTokenizer library;
    private readonly BytePairMerger merger;
    private ConcurrentDictionary<string, int[]> memory = NewMemory();
    private int remembered;

    /// <summary>Creates the encoder.</summary>
    /// <param name="file">Vocabulary and merges, checked.</param>
    public PieceEncoder(TokenizerFile file)
    {
        library = BpeTokenizer.Create(new BpeOptions(file.Vocabulary)
        {
            Merges = file.MergeTexts.Select(merge => $"{merge.Left} {merge.Right}"),
            ByteLevel = true,
        });
        int[] byteIds = new int[256];
        for (int value = 0; value < byteIds.Length; value++)
        {
            byteIds[value] = file.Vocabulary[ByteLevel.Letter((byte)value).ToString()];
        }

        merger = new BytePairMerger(byteIds, file.Merges);
    }

    /// <summary>Encodes a piece.</summary>
    /// <param name="piece">Well-formed UTF-16 as <see cref="PieceSplitter"/> cuts it.</param>
    /// <param name="ids">Appended to.</param>
    public void Append(ReadOnlySpan<char> piece, List<int> ids)
    {
        if (piece.Length > LongestRemembered)
        {
            ids.AddRange(Merge(piece));
            return;
        }

        ConcurrentDictionary<string, int[]> current = memory;
        if (!current.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(piece, out int[]? known))
        {
            known = [.. Merge(piece)];
            Remember(current, piece.ToString(), known);
        }

        ids.AddRange(known);
    }

    /// <summary>Forgets all pieces.</summary>
    public void Forget()
    {
        memory = NewMemory();
        Interlocked.Exchange(ref remembered, 0);
    }

    /// <summary>Encodes a piece by the library, for the test that holds the two together.</summary>
    internal IReadOnlyList<int> MergeByLibrary(ReadOnlySpan<char> piece) =>
        library.EncodeToIds(piece, considerPreTokenization: false, considerNormalization: false);

    /// <summary>Encodes a piece by the heap.</summary>
    internal int[] MergeByHeap(ReadOnlySpan<char> piece) => merger.Encode(piece);

    private IReadOnlyList<int> Merge(ReadOnlySpan<char> piece) =>
        piece.Length > LongestForLibrary ? MergeByHeap(piece) : MergeByLibrary(piece);

    private void Remember(ConcurrentDictionary<string, int[]> current, string piece, int[] ids)
    {
        if (current.TryAdd(piece, ids) && Interlocked.Increment(ref remembered) > MostRemembered)
        {
            Forget(); // nobody may fill it for good with words that never come again
        }
    }

    private static ConcurrentDictionary<string, int[]> NewMemory() => new(StringComparer.Ordinal);
}
