using System;
using ILGPU;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <content>
/// <para>The naive kernels: a thread owns an element of an assignment (token, slot of the router) and walks the row of
/// the expert's matrix in the order for products; tokens lie along the grid's second axis and the router's slots along
/// its third. The first kernel makes both halves of the gated activation, so that gate and up are never stored. Nothing
/// is grouped: an expert's weights are read once per token that goes to it.</para>
/// <para>Fast: for few tokens the row kernel of <see cref="LinearProjection"/>, one launch for all assignments; for
/// many, assignments are sorted by expert on the device and the tile kernel takes expert by expert.</para>
/// </content>
public static partial class RoutedExperts
{
    /// <summary>Applies those experts that are on the device.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="host">The device.</param>
    /// <param name="x">[tokens, hidden], float32, read.</param>
    /// <param name="topKIndices">[tokens, topK], the experts, read.</param>
    /// <param name="topK">Slots per token.</param>
    /// <param name="experts">The weights.</param>
    /// <param name="room">What lies between, written.</param>
    /// <param name="expertOutputs">
    /// [tokens, topK, hidden], float32, written where the expert is on the device.
    /// </param>
    internal static void Launch<TPrecision>(
        KernelHost host,
        ArrayView<float> x,
        ArrayView<int> topKIndices,
        int topK,
        DeviceExperts experts,
        in ExpertRoom room,
        ArrayView<float> expertOutputs)
        where TPrecision : struct, IPrecision
    {
        ArgumentNullException.ThrowIfNull(host);
        ArgumentNullException.ThrowIfNull(experts);
        switch (experts.Gate.Format)
        {
            case PanelFormat.Float32:
                Launch<TPrecision, Float32Format>(host, x, topKIndices, topK, experts, room, expertOutputs);
                break;
            case PanelFormat.BFloat16:
                Launch<TPrecision, BFloat16Format>(host, x, topKIndices, topK, experts, room, expertOutputs);
                break;
            default:
                Launch<TPrecision, Float8Format>(host, x, topKIndices, topK, experts, room, expertOutputs);
                break;
        }
    }

    private static void Launch<TPrecision, TFormat>(
        KernelHost host,
        ArrayView<float> x,
        ArrayView<int> indices,
        int topK,
        DeviceExperts experts,
        in ExpertRoom room,
        ArrayView<float> outputs)
        where TPrecision : struct, IPrecision
        where TFormat : struct, IWeightFormat
    {
        int tokens = (int)(indices.Length / topK);
        DeviceMatrix gate = experts.Gate.Matrix, up = experts.Up.Matrix, down = experts.Down.Matrix;
        if (!host.PrefersFast)
        {
            Routing routing = new(indices, experts.Table, tokens, topK);
            host.Launch(
                NaiveGateKernel<TPrecision, TFormat>,
                GridFor(host, gate.Outputs, routing),
                new GateArguments(routing, x, gate, up, room.Gate));
            host.Launch(
                NaiveDownKernel<TPrecision, TFormat>,
                GridFor(host, down.Outputs, routing),
                new DownArguments(routing, room.Gate, down, outputs));
        }
        else if (tokens <= LinearProjection.FewTokens
            && LinearProjection.FitsRows(host, gate) && LinearProjection.FitsRows(host, down))
        {
            LinearProjection.ProductPlaces perToken = new(indices, experts.Table, tokens, topK, 1);
            LinearProjection.LaunchRows<TPrecision, TFormat>(host, new(perToken, x, gate, default, room.Gate));
            LinearProjection.LaunchRows<TPrecision, TFormat>(host, new(perToken, x, up, default, room.Up));
            SwiGlu.Launch<TPrecision>(host, room.Gate, room.Up, room.Gate);
            LinearProjection.LaunchRows<TPrecision, TFormat>(
                host, new(perToken with { XRowsPerToken = topK }, room.Gate, down, default, outputs));
        }
        else
        {
            int count = (int)experts.Table.Length;
            ExpertDispatch.Launch(host, indices, topK, count, room.Rows, room.Tokens, room.Offsets);
            RowLists fromTokens = new(room.Tokens, room.Rows, room.Offsets, experts.Table, tokens, count);
            LinearProjection.LaunchTiles<TPrecision, TFormat>(host, new(fromTokens, x, gate, default, room.Gate));
            LinearProjection.LaunchTiles<TPrecision, TFormat>(host, new(fromTokens, x, up, default, room.Up));
            SwiGlu.Launch<TPrecision>(host, room.Gate, room.Up, room.Gate);
            LinearProjection.LaunchTiles<TPrecision, TFormat>(
                host, new(fromTokens with { XRows = room.Rows }, room.Gate, down, default, outputs));
        }
    }

    /// <summary>A thread per element of the activation.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <typeparam name="TFormat">The format of the weights.</typeparam>
    /// <param name="a">The arguments.</param>
    [Kernel]
    internal static void NaiveGateKernel<TPrecision, TFormat>(GateArguments a)
        where TPrecision : struct, IPrecision
        where TFormat : struct, IWeightFormat
    {
        for (int token = Grid.IdxY; token < a.Routing.Tokens; token += Grid.DimY)
        {
            for (int k = Grid.IdxZ; k < a.Routing.TopK; k += Grid.DimZ)
            {
                int assignment = (token * a.Routing.TopK) + k;
                int slot = a.Routing.SlotOf(assignment);
                for (int n = DeviceThread.Index; n < a.Gate.Outputs && slot >= 0; n += DeviceThread.Count)
                {
                    long start = (long)token * a.Gate.Inputs;
                    float gate =
                        TPrecision.Round(LinearProjection.Dot<TFormat>(a.X, start, a.Gate.InSlot(slot), n));
                    float up = TPrecision.Round(LinearProjection.Dot<TFormat>(a.X, start, a.Up.InSlot(slot), n));
                    a.Activated[((long)assignment * a.Gate.Outputs) + n] =
                        TPrecision.Round(TPrecision.Round(Silu.Apply(gate)) * up);
                }
            }
        }
    }

    /// <summary>A thread per element of the output.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <typeparam name="TFormat">The format of the weights.</typeparam>
    /// <param name="a">The arguments.</param>
    [Kernel]
    internal static void NaiveDownKernel<TPrecision, TFormat>(DownArguments a)
        where TPrecision : struct, IPrecision
        where TFormat : struct, IWeightFormat
    {
        for (int token = Grid.IdxY; token < a.Routing.Tokens; token += Grid.DimY)
        {
            for (int k = Grid.IdxZ; k < a.Routing.TopK; k += Grid.DimZ)
            {
                int assignment = (token * a.Routing.TopK) + k;
                int slot = a.Routing.SlotOf(assignment);
                for (int n = DeviceThread.Index; n < a.Down.Outputs && slot >= 0; n += DeviceThread.Count)
                {
                    float sum = LinearProjection.Dot<TFormat>(
                        a.Activated, (long)assignment * a.Down.Inputs, a.Down.InSlot(slot), n);
                    a.ExpertOutputs[((long)assignment * a.Down.Outputs) + n] = TPrecision.Round(sum);
                }
            }
        }
    }

    /// <summary>Memory for what lies between the products.</summary>
    /// <param name="Gate">[tokens, topK, intermediate]; then the activation.</param>
    /// <param name="Up">[tokens, topK, intermediate].</param>
    /// <param name="Rows">[tokens · topK].</param>
    /// <param name="Tokens">[tokens · topK].</param>
    /// <param name="Offsets">[experts + 1].</param>
    internal readonly record struct ExpertRoom(
        ArrayView<float> Gate,
        ArrayView<float> Up,
        ArrayView<int> Rows,
        ArrayView<int> Tokens,
        ArrayView<int> Offsets);

    private static LaunchGrid GridFor(KernelHost host, int outputs, in Routing routing) => host.MostGroups == 1
        ? new LaunchGrid(1)
        : host.GridFor(outputs) with { Y = Math.Min(routing.Tokens, ushort.MaxValue), Z = routing.TopK };

    /// <summary>Who goes where.</summary>
    /// <param name="TopKIndices">[tokens, topK], experts.</param>
    /// <param name="Table">[experts], slots.</param>
    /// <param name="Tokens">Tokens.</param>
    /// <param name="TopK">Slots of the router per token.</param>
    internal readonly record struct Routing(ArrayView<int> TopKIndices, ArrayView<int> Table, int Tokens, int TopK)
    {
        /// <summary>Where the expert of an assignment is.</summary>
        /// <param name="assignment">token · topK + slot of the router.</param>
        /// <returns>The slot, −1 if it is not on the device.</returns>
        public int SlotOf(int assignment) => Table[TopKIndices[assignment]];
    }

    /// <summary>What the first kernel works on.</summary>
    /// <param name="Routing">Who goes where.</param>
    /// <param name="X">[tokens, hidden].</param>
    /// <param name="Gate">[slots, intermediate, hidden].</param>
    /// <param name="Up">[slots, intermediate, hidden].</param>
    /// <param name="Activated">[tokens, topK, intermediate], written.</param>
    internal readonly record struct GateArguments(
        Routing Routing, ArrayView<float> X, DeviceMatrix Gate, DeviceMatrix Up, ArrayView<float> Activated);

    /// <summary>What the second kernel works on.</summary>
    /// <param name="Routing">Who goes where.</param>
    /// <param name="Activated">[tokens, topK, intermediate].</param>
    /// <param name="Down">[slots, hidden, intermediate].</param>
    /// <param name="ExpertOutputs">[tokens, topK, hidden], written.</param>
    internal readonly record struct DownArguments(
        Routing Routing, ArrayView<float> Activated, DeviceMatrix Down, ArrayView<float> ExpertOutputs);
}
