using System;
using System.Collections.Generic;
using ILGPU;
using ILGPU.Runtime;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Devices;

namespace RingFlash.Devices;

/// <summary>Sets of arrays on a device, filled with numbers in (−1, 1) that are bfloat16 numbers.</summary>
internal sealed class DeviceSets : IDisposable
{
    private readonly List<MemoryBuffer1D<float, Stride1D.Dense>> buffers = [];
    private readonly int arrays;

    /// <summary>Allocates and fills.</summary>
    /// <param name="host">The device.</param>
    /// <param name="sets">How many sets.</param>
    /// <param name="length">Elements of an array.</param>
    /// <param name="arrays">Arrays of a set.</param>
    public DeviceSets(KernelHost host, int sets, int length, int arrays)
    {
        this.arrays = arrays;
        float[] values = new float[length];
        for (int index = 0; index < sets * arrays; index++)
        {
            ulong sequence = SyntheticSource.Fnv1a64("benchmark") ^ (ulong)index;
            if (index < arrays)
            {
                for (int i = 0; i < length; i++)
                {
                    values[i] = SyntheticSource.Element(sequence, i, 0f, 1f);
                }
            }

            buffers.Add(host.Accelerator.Allocate1D(values)); // later sets repeat numbers, not addresses
        }
    }

    /// <summary>An array.</summary>
    /// <param name="set">Of which set.</param>
    /// <param name="array">Which.</param>
    /// <returns>Its memory.</returns>
    public ArrayView<float> View(int set, int array) => buffers[(set * arrays) + array].View.BaseView;

    /// <summary>An array's numbers, on the host.</summary>
    /// <param name="set">Of which set.</param>
    /// <param name="array">Which.</param>
    /// <returns>A copy.</returns>
    public float[] Values(int set, int array) => buffers[(set * arrays) + array].GetAsArray1D();

    /// <inheritdoc/>
    public void Dispose() => buffers.ForEach(buffer => buffer.Dispose());
}
