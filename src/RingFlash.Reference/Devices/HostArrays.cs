using System;
using ILGPU;
using ILGPU.Runtime;

namespace RingFlash.Reference.Devices;

/// <summary>Copies between arrays and a device.</summary>
/// <remarks>
/// ILGPU 1.5.3 takes the address of a reference without pinning it, so a collection in the middle of a copy moves the
/// array away; here it is pinned.
/// </remarks>
internal static unsafe class HostArrays
{
    /// <summary>Brings the first elements of an array to a device.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <param name="view">Written, all of it.</param>
    /// <param name="values">At least as many elements.</param>
    public static void Bring<T>(this ArrayView<T> view, T[] values)
        where T : unmanaged
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(values.Length, view.Length);
        fixed (T* pinned = values)
        {
            if (view.Length > 0)
            {
                view.CopyFromCPU(ref *pinned, view.Length);
            }
        }
    }

    /// <summary>Fetches elements from a device, after everything that was launched.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <param name="view">Read, all of it.</param>
    /// <param name="values">At least as many elements, written.</param>
    public static void Fetch<T>(this ArrayView<T> view, T[] values)
        where T : unmanaged
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(values.Length, view.Length);
        fixed (T* pinned = values)
        {
            if (view.Length > 0)
            {
                view.CopyToCPU(ref *pinned, view.Length);
            }
        }
    }
}
