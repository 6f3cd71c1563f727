// Arrays on a device for the kernel tests. Red nowhere by itself.
using System;
using System.Collections.Generic;
using ILGPU;
using ILGPU.Runtime;
using RingFlash.Reference.Devices;

namespace RingFlash.Reference.Tests.Devices;

/// <summary>Buffers that are freed together; empty arrays are views of no length.</summary>
internal sealed class DeviceMemory(KernelHost host) : IDisposable
{
    private readonly List<IDisposable> buffers = [];

    public ArrayView<T> Upload<T>(T[] values)
        where T : unmanaged
    {
        MemoryBuffer1D<T, Stride1D.Dense> buffer = host.Accelerator.Allocate1D<T>(Math.Max(1, values.Length));
        buffers.Add(buffer);
        ArrayView<T> view = buffer.View.BaseView.SubView(0, values.Length);
        view.Bring(values);
        return view;
    }

    /// <summary>Memory that nothing has been written to: NaN everywhere.</summary>
    public ArrayView<float> Fresh(long length)
    {
        float[] values = new float[length];
        Array.Fill(values, float.NaN);
        return Upload(values);
    }

    public T[] Read<T>(ArrayView<T> view)
        where T : unmanaged
    {
        host.Synchronize();
        T[] values = new T[view.Length];
        view.Fetch(values);
        return values;
    }

    public void Dispose() => buffers.ForEach(buffer => buffer.Dispose());
}
