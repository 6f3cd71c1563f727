// Shared memory of PtxMachine. Red here: two threads use a word between two barriers and one of them writes.
using System;

namespace RingFlash.Reference.Tests.Devices.Ptx;

/// <summary>What a kernel did that hardware would not report.</summary>
internal sealed class PtxFault(string message) : Exception(message);

/// <summary>The bytes of a group, and who used which word since the last barrier.</summary>
internal sealed class PtxSharedMemory(int bytes)
{
    private const int Nobody = -1;
    private const int Several = -2; // of several warps; warp w alone is SeveralOfWarp − w
    private const int SeveralOfWarp = -3;

    private readonly byte[] memory = new byte[bytes];
    private readonly int[] writers = NewMarks(bytes);
    private readonly int[] readers = NewMarks(bytes);

    public Span<byte> Access(int thread, int place, int count, bool store)
    {
        for (int word = place / 4; word < (place + count + 3) / 4; word++)
        {
            bool othersWrote = writers[word] != Nobody && writers[word] != thread;
            bool othersRead = readers[word] != Nobody && readers[word] != thread;
            if (othersWrote || (store && othersRead))
            {
                throw new PtxFault($"thread {thread}: a race for the shared bytes at {place}");
            }

            if (store)
            {
                writers[word] = thread;
            }
            else
            {
                readers[word] = !othersRead
                    ? thread
                    : WarpOf(readers[word]) == thread / 32 ? SeveralOfWarp - (thread / 32) : Several;
            }
        }

        return memory.AsSpan(place, count);
    }

    public void PassBarrier()
    {
        Array.Fill(writers, Nobody);
        Array.Fill(readers, Nobody);
    }

    /// <summary>The lanes of a warp have met: what they did among themselves is in order.</summary>
    public void PassWarpBarrier(int warp)
    {
        for (int word = 0; word < writers.Length; word++)
        {
            writers[word] = WarpOf(writers[word]) == warp ? Nobody : writers[word];
            readers[word] = WarpOf(readers[word]) == warp ? Nobody : readers[word];
        }
    }

    private static int WarpOf(int mark) => mark >= 0 ? mark / 32 : mark <= SeveralOfWarp ? SeveralOfWarp - mark : -1;

    private static int[] NewMarks(int bytes)
    {
        int[] marks = new int[(bytes + 3) / 4];
        Array.Fill(marks, Nobody);
        return marks;
    }
}
