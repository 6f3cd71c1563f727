using System;
using ILGPU;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <content>
/// The naive kernels: a thread owns an element of an assignment (token, slot of the router) and walks the row of the
/// expert's matrix in the order for products; tokens lie along the grid's second axis and the router's slots along its
/// third. The first kernel makes both halves of the gated activation, so that gate and up are never stored. Nothing is
/// grouped: an expert's weights are read once per token that goes to it.
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
    /// <param name="activated">[tokens, topK, intermediate], float32, written.</param>
    /// <param name="expertOutputs">
    /// [tokens, topK, hidden], float32, written where the expert is on the device.
    /// </param>
    internal static void Launch<TPrecision>(
        KernelHost host,
        ArrayView<float> x,
        ArrayView<int> topKIndices,
        int topK,
        DeviceExperts experts,
        ArrayView<float> activated,
        ArrayView<float> expertOutputs)
        where TPrecision : struct, IPrecision
    {
        ArgumentNullException.ThrowIfNull(host);
        ArgumentNullException.ThrowIfNull(experts);
        int tokens = (int)(topKIndices.Length / topK);
        Routing routing = new(topKIndices, experts.Table, tokens, topK);
        GateArguments gate = new(routing, x, experts.Gate.Matrix, experts.Up.Matrix, activated);
        DownArguments down = new(routing, activated, experts.Down.Matrix, expertOutputs);
        LaunchGrid gateGrid = GridFor(host, experts.Gate.Matrix.Outputs, routing);
        LaunchGrid downGrid = GridFor(host, experts.Down.Matrix.Outputs, routing);
        switch (experts.Gate.Format)
        {
            case PanelFormat.Float32:
                host.Launch(NaiveGateKernel<TPrecision, Float32Format>, gateGrid, gate);
                host.Launch(NaiveDownKernel<TPrecision, Float32Format>, downGrid, down);
                break;
            case PanelFormat.BFloat16:
                host.Launch(NaiveGateKernel<TPrecision, BFloat16Format>, gateGrid, gate);
                host.Launch(NaiveDownKernel<TPrecision, BFloat16Format>, downGrid, down);
                break;
            default:
                host.Launch(NaiveGateKernel<TPrecision, Float8Format>, gateGrid, gate);
                host.Launch(NaiveDownKernel<TPrecision, Float8Format>, downGrid, down);
                break;
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
