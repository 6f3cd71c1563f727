// Red here: the interpreter of PTX lets something pass that hardware would not report either.
using System;
using ILGPU;
using ILGPU.Runtime;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Tests.Devices.Ptx;
using Xunit;

namespace RingFlash.Reference.Tests.Devices;

public sealed class PtxMachineTests(CpuDevice device) : IClassFixture<CpuDevice>
{
    [Fact]
    public void SoundKernelsRun() =>
        Assert.Equal(31f + 32f, Run(ExchangeKernel)[0]); // thread 31's number and that of the neighbour in warp 1

    [Fact]
    public void AReturnBeforeABarrierIsSeen() => Fails(ReturnBeforeBarrier, "is Done");

    [Fact]
    public void AShuffleWithoutSomeLanesIsSeen() => Fails(PartialShuffle, "shfl");

    [Fact]
    public void ARaceInSharedMemoryIsSeen() => Fails(MissingBarrier, "race");

    [Fact]
    public void AnAddressOutsideItsViewIsSeen() => Fails(OutOfRange, "no view");

    [Fact]
    public void AnUnalignedVectorIsSeen() => Fails(Unaligned, "aligned");

    [Fact]
    public void AnArrayReadAsReadOnlyAndWrittenIsSeen() => Fails(ReadOnlyWritten, "read-only");

    [Kernel]
    internal static void ExchangeKernel(Arguments a)
    {
        ArrayView<float> shared = SharedMemory.Allocate<float>(64);
        int thread = (Group.IdxY * 32) + Group.IdxX;
        shared[thread] = thread;
        Group.Barrier();
        float other = shared[thread ^ 32];
        float last = Warp.Shuffle(other, 31);
        if (thread == 32)
        {
            a.X[0] = last + shared[32]; // in warp 1: 31 of warp 0, and its own number
        }
    }

    [Kernel]
    internal static void ReturnBeforeBarrier(Arguments a)
    {
        if (Group.IdxX == 5)
        {
            return;
        }

        Group.Barrier();
        a.X[Group.IdxX] = 1f;
    }

    [Kernel]
    internal static void PartialShuffle(Arguments a)
    {
        if (Group.IdxX < 16)
        {
            a.X[Group.IdxX] = Warp.ShuffleXor((float)Group.IdxX, 1);
        }
    }

    [Kernel]
    internal static void MissingBarrier(Arguments a)
    {
        ArrayView<float> shared = SharedMemory.Allocate<float>(64);
        shared[Group.IdxX] = a.X[Group.IdxX];
        a.X[Group.IdxX] = shared[Group.IdxX ^ 1];
    }

    [Kernel]
    internal static void OutOfRange(Arguments a) => a.X[Group.IdxX + 64] = 1f;

    [Kernel]
    internal static void Unaligned(Arguments a)
    {
        Float4 four = DeviceIntrinsics.Load(ref a.X[1]);
        a.X[0] = four.X;
    }

    [Kernel]
    internal static void ReadOnlyWritten(Arguments a)
    {
        Float4 four = DeviceIntrinsics.Load(ref a.X[4]);
        a.X[0] = four.X;
    }

    private void Fails(Action<Arguments> kernel, string words) =>
        Assert.Contains(words, Assert.Throws<PtxFault>(() => Run(kernel)).Message, StringComparison.Ordinal);

    private float[] Run(Action<Arguments> kernel) => CpuDevice.Run(
        device.Interpreted, 64, x => device.Interpreted.Launch(kernel, new LaunchGrid(1), new Arguments(x)));

    internal readonly record struct Arguments(ArrayView<float> X);
}
