using ILGPU;

namespace RingFlash.Reference.Devices;

/// <summary>A thread's place in a one-dimensional grid of groups (32, W), for kernels that stride.</summary>
public static class DeviceThread
{
    /// <summary>Its number.</summary>
    public static int Index => (((Grid.IdxX * Group.DimY) + Group.IdxY) * KernelHost.Lanes) + Group.IdxX;

    /// <summary>The number of threads.</summary>
    public static int Count => Grid.DimX * Group.DimY * KernelHost.Lanes;
}
