using System;
using ILGPU;
using ILGPU.Runtime;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Devices;

/// <summary>A device's memory for the elements of a tensor.</summary>
/// <typeparam name="T">The element type.</typeparam>
internal sealed class DeviceMemory<T> : ITensorMemory<T>
    where T : unmanaged
{
    private readonly KernelHost host;
    private readonly MemoryBuffer1D<T, Stride1D.Dense> buffer;
    private readonly int count;

    private DeviceMemory(KernelHost host, int count)
    {
        this.host = host;
        this.count = count;
        buffer = host.Accelerator.Allocate1D<T>(Math.Max(1, count)); // there are no buffers of nothing
    }

    private ArrayView<T> View => buffer.View.BaseView.SubView(0, count);

    /// <summary>A tensor's elements, for a kernel to read; brought to the device if they are on the host.</summary>
    /// <param name="host">The device.</param>
    /// <param name="storage">The tensor's storage.</param>
    /// <returns>Its memory.</returns>
    /// <remarks>
    /// Elements that have been on the host are brought again for every kernel, because whoever has the array may have
    /// written to it since.
    /// </remarks>
    public static ArrayView<T> Read(KernelHost host, TensorStorage<T> storage)
    {
        DeviceMemory<T> memory = Of(host, storage);
        if (!storage.IsOnDevice && storage.Count > 0)
        {
            memory.Bring(storage.OnHost());
        }

        return memory.View;
    }

    /// <summary>Brings elements to the device without an array of the tensor's on the host.</summary>
    /// <param name="host">The device.</param>
    /// <param name="storage">The tensor's storage; its elements are on the device from here on.</param>
    /// <param name="values">As many elements.</param>
    public static void Bring(KernelHost host, TensorStorage<T> storage, T[] values)
    {
        DeviceMemory<T> memory = Of(host, storage);
        memory.Bring(values);
        storage.IsOnDevice = true;
    }

    /// <summary>Memory for elements that a kernel is about to write, all of them.</summary>
    /// <param name="host">The device.</param>
    /// <param name="storage">The tensor's storage; its elements are on the device from here on.</param>
    /// <returns>Its memory.</returns>
    public static ArrayView<T> Write(KernelHost host, TensorStorage<T> storage)
    {
        DeviceMemory<T> memory = Of(host, storage);
        storage.IsOnDevice = true;
        return memory.View;
    }

    /// <inheritdoc/>
    public void CopyTo(T[] values)
    {
        if (count > 0)
        {
            host.Synchronize();
            View.Fetch(values);
            host.Downloads++;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        host.Synchronize(); // kernels may still use it
        buffer.Dispose();
    }

    private void Bring(T[] values)
    {
        host.Synchronize(); // a copy waits for what was launched, so it is counted
        View.Bring(values);
        host.Uploads++;
    }

    private static DeviceMemory<T> Of(KernelHost host, TensorStorage<T> storage)
    {
        if (storage.Device is DeviceMemory<T> memory && memory.host == host)
        {
            return memory;
        }

        if (storage.IsOnDevice)
        {
            storage.OnHost(); // another device has them
        }

        memory = new DeviceMemory<T>(host, storage.Count);
        storage.Device = memory;
        return memory;
    }
}
