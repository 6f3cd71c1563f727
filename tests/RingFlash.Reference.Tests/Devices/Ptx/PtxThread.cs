// A thread of PtxMachine. Red nowhere by itself.
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

    public int Next { get; set; }

    public PtxState State { get; set; }
}
