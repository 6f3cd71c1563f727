// Shared memory of PtxMachine. Red here: two threads use a word between two barriers and one of them writes.
using System;

namespace RingFlash.Reference.Tests.Devices.Ptx;

/// <summary>What a kernel did that hardware would not report.</summary>
internal sealed class PtxFault(string message) : Exception(message);

/// <summary>The bytes of a group, and who used which word since the last barrier.</summary>
internal sealed class PtxSharedMemory(int bytes)
{
    private const int Nobody = -1;
    private const int Several = -2;

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
                readers[word] = othersRead ? Several : thread;
            }
        }

        return memory.AsSpan(place, count);
    }

    public void PassBarrier()
    {
        Array.Fill(writers, Nobody);
        Array.Fill(readers, Nobody);
    }

    private static int[] NewMarks(int bytes)
    {
        int[] marks = new int[(bytes + 3) / 4];
        Array.Fill(marks, Nobody);
        return marks;
    }
}
