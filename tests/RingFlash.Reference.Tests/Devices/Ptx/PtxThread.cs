// A thread of PtxMachine. Red nowhere by itself.
using System.Collections.Generic;

namespace RingFlash.Reference.Tests.Devices.Ptx;

/// <summary>Where a thread stands: running, waiting for others, or done.</summary>
internal enum PtxState
{
    Running,
    AtBarrier,
    AtShuffle,
    AtWarpBarrier,
    Done,
}

/// <summary>The registers and the place of one thread.</summary>
internal sealed class PtxThread(int number, int registers, int localBytes)
{
    public int Number => number;

    public ulong[] Registers { get; } = new ulong[registers];

    public byte[] Local { get; } = new byte[localBytes];

    /// <summary>Groups of copies on their way, the oldest first; the last one is open.</summary>
    public List<List<PtxCopy>> Copies { get; } = [[]];

    public int Next { get; set; }

    public PtxState State { get; set; }
}

/// <summary>A copy on its way to shared memory.</summary>
internal readonly record struct PtxCopy(int Place, byte[] Bytes);
