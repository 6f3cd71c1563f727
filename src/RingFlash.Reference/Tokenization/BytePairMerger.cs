using System;
using System.Collections.Generic;
using System.Text;

namespace RingFlash.Reference.Tokenization;

/// <summary>A merge: which one it is, and the token that it makes.</summary>
/// <param name="Rank">Its place in the list; the lower one goes first.</param>
/// <param name="Id">The token.</param>
internal readonly record struct Merge(int Rank, int Id);

/// <summary>
/// Byte-pair encoding with a heap: of all neighbours that can be merged, always the pair of the lowest rank, and of
/// equal ones the leftmost. O(n log n) where the library's way is quadratic.
/// </summary>
/// <param name="byteIds">[256], the token of each byte.</param>
/// <param name="merges">By the pair of tokens.</param>
internal sealed class BytePairMerger(int[] byteIds, IReadOnlyDictionary<(int Left, int Right), Merge> merges)
{
    /// <summary>Encodes a piece.</summary>
    /// <param name="piece">Well-formed UTF-16.</param>
    /// <returns>[tokens].</returns>
    public int[] Encode(ReadOnlySpan<char> piece)
    {
        byte[] bytes = new byte[Encoding.UTF8.GetByteCount(piece)];
        Encoding.UTF8.GetBytes(piece, bytes);
        int[] ids = Array.ConvertAll(bytes, value => byteIds[value]);
        int[] previous = new int[ids.Length], next = new int[ids.Length];
        PriorityQueue<int, long> queue = new();
        for (int index = 0; index < ids.Length; index++)
        {
            previous[index] = index - 1;
            next[index] = index + 1;
        }

        for (int index = 0; index < ids.Length - 1; index++)
        {
            Enqueue(index);
        }

        while (queue.TryDequeue(out int left, out long priority))
        {
            // Whoever changed a neighbour has queued the new pair; what was queued before that is out of date.
            if (ids[left] < 0 || next[left] >= ids.Length
                || !merges.TryGetValue((ids[left], ids[next[left]]), out Merge merge)
                || merge.Rank != (int)(priority >> 32))
            {
                continue;
            }

            int right = next[left];
            ids[left] = merge.Id;
            ids[right] = -1;
            next[left] = next[right];
            if (next[left] < ids.Length)
            {
                previous[next[left]] = left;
                Enqueue(left);
            }

            if (previous[left] >= 0)
            {
                Enqueue(previous[left]);
            }
        }

        return Array.FindAll(ids, id => id >= 0);

        void Enqueue(int left)
        {
            if (merges.TryGetValue((ids[left], ids[next[left]]), out Merge merge))
            {
                queue.Enqueue(left, ((long)merge.Rank << 32) | (uint)left);
            }
        }
    }
}
