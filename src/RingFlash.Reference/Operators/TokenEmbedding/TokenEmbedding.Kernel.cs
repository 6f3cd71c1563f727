using System;
using ILGPU;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <content>
/// One kernel: groups take tokens, the threads of a group neighbouring channels of the token's row, widened on the way.
/// </content>
public static partial class TokenEmbedding
{
    /// <summary>Looks up rows on a device.</summary>
    /// <param name="host">The device.</param>
    /// <param name="ids">[tokens], token ids that have been checked, read.</param>
    /// <param name="table">[vocabulary, hidden].</param>
    /// <param name="hiddenStates">[tokens, hidden], float32, written.</param>
    public static void Launch(
        KernelHost host, ArrayView<long> ids, DeviceWeight table, ArrayView<float> hiddenStates)
    {
        ArgumentNullException.ThrowIfNull(host);
        ArgumentNullException.ThrowIfNull(table);
        KernelArguments arguments = new(ids, table.Matrix, hiddenStates);
        LaunchGrid grid = new((int)Math.Min(ids.Length, host.MostGroups));
        switch (table.Format)
        {
            case PanelFormat.Float32:
                host.Launch(Kernel<Float32Format>, grid, arguments);
                break;
            case PanelFormat.BFloat16:
                host.Launch(Kernel<BFloat16Format>, grid, arguments);
                break;
            default:
                host.Launch(Kernel<Float8Format>, grid, arguments);
                break;
        }
    }

    /// <summary>A group per token.</summary>
    /// <typeparam name="TFormat">The format of the table.</typeparam>
    /// <param name="a">The arguments.</param>
    [Kernel]
    internal static void Kernel<TFormat>(KernelArguments a)
        where TFormat : struct, IWeightFormat
    {
        int thread = (Group.IdxY * KernelHost.Lanes) + Group.IdxX;
        for (int token = Grid.IdxX; token < a.Ids.Length; token += Grid.DimX)
        {
            int id = (int)a.Ids[token];
            for (int h = thread; h < a.Table.Inputs; h += Group.DimY * KernelHost.Lanes)
            {
                a.HiddenStates[((long)token * a.Table.Inputs) + h] = a.Table.Read<TFormat>(id, h);
            }
        }
    }

    /// <summary>What the kernel works on.</summary>
    /// <param name="Ids">[tokens].</param>
    /// <param name="Table">[vocabulary, hidden].</param>
    /// <param name="HiddenStates">[tokens, hidden], written.</param>
    internal readonly record struct KernelArguments(
        ArrayView<long> Ids, DeviceMatrix Table, ArrayView<float> HiddenStates);
}
