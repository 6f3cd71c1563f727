using System;
using System.Threading;

namespace RingFlash.Reference.Numerics;

/// <summary>Memory of a device for the elements of a tensor.</summary>
/// <typeparam name="T">The element type.</typeparam>
internal interface ITensorMemory<T> : IDisposable
{
    /// <summary>Waits for the elements and brings them to the host.</summary>
    /// <param name="values">Written, all of it.</param>
    void CopyTo(T[] values);
}

/// <summary>What may have memory on a device, whatever its elements are.</summary>
internal interface IDeviceHeld
{
    /// <summary>Frees that memory; what only it holds is lost.</summary>
    void FreeDevice();
}

/// <summary>
/// The elements of a tensor, on the host or on a device, never current in both: who asks for the array may write to it.
/// </summary>
/// <typeparam name="T">The element type.</typeparam>
/// <param name="count">The number of elements.</param>
internal sealed class TensorStorage<T>(int count)
    where T : unmanaged
{
    private readonly Lock gate = new();
    private T[]? values;
    private volatile bool isOnDevice;

    /// <summary>The number of elements.</summary>
    public int Count => count;

    /// <summary>A device's memory for them, kept to be used again; null before a device needs it.</summary>
    public ITensorMemory<T>? Device { get; set; }

    /// <summary>Whether the device's memory holds the elements; a device sets it when it has written them.</summary>
    public bool IsOnDevice
    {
        get => isOnDevice;
        set => isOnDevice = value;
    }

    /// <summary>Whether the array is to lie in huge pages, once it is needed.</summary>
    public bool WantsHugePages { get; set; }

    /// <summary>The elements on the host, where they are from now on; zero if nobody has written them.</summary>
    /// <returns>The array, always the same one.</returns>
    public T[] OnHost() => Volatile.Read(ref values) is { } array && !isOnDevice ? array : Fetch();

    /// <summary>Frees a device's memory; elements that only it holds are lost.</summary>
    public void FreeDevice()
    {
        Device?.Dispose();
        Device = null;
        isOnDevice = false;
    }

    private T[] Fetch()
    {
        lock (gate)
        {
            T[] array = values ?? New();
            if (isOnDevice)
            {
                Device!.CopyTo(array);
                isOnDevice = false;
            }

            Volatile.Write(ref values, array);
            return array;
        }
    }

    private T[] New()
    {
        T[] array = new T[count];
        if (WantsHugePages)
        {
            HugePages.Ask(array);
        }

        return array;
    }
}
