using ILGPU;

namespace RingFlash.Reference.Devices;

/// <summary>A thread's place in a one-dimensional grid of groups (32, W), for kernels that stride.</summary>
public static class DeviceThread
{
    /// <summary>Its number.</summary>
    public static int Index => (Warp * KernelHost.Lanes) + Group.IdxX;

    /// <summary>The number of threads.</summary>
    public static int Count => WarpCount * KernelHost.Lanes;

    /// <summary>The number of its warp.</summary>
    public static int Warp => (Grid.IdxX * Group.DimY) + Group.IdxY;

    /// <summary>The number of warps.</summary>
    public static int WarpCount => Grid.DimX * Group.DimY;

    /// <summary>Its number within the group.</summary>
    public static int IndexInGroup => (Group.IdxY * KernelHost.Lanes) + Group.IdxX;

    /// <summary>The threads of the group.</summary>
    public static int CountInGroup => Group.DimY * KernelHost.Lanes;
}
