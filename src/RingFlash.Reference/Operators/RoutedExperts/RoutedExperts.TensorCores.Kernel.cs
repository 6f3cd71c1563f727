using System;
using ILGPU;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <content>
/// <para>The fast family for many tokens, off by default: assignments are sorted by expert and the tensor-core kernel
/// of <see cref="LinearProjection"/> takes expert by expert, whose weights are read once per 128 of its tokens.</para>
/// <para>Budget: with T(n) the units that <see cref="LinearProjection.TensorCoreUnits"/> gives for a product of n, and
/// ρ = r/u for the storage type's rounding r, an element of the activation is off by (T(hidden) + ρ)·u·h for gate and
/// up together, with the hidden gauge h of the page, and SiLU and the product add (3 + 2ρ)·u·h; the last product turns
/// that into the same of Σ|W_down|·h and adds T(intermediate) of it and a rounding. Together
/// T(hidden) + T(intermediate) + 3 + 4ρ units of u·Σ|W_down|·h, to first order. Not run on a GPU here.</para>
/// </content>
public static partial class RoutedExperts
{
    /// <summary>The budget of the fast family, in units of 2⁻²⁴ of Σ|W_down|·h.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="hidden">Inputs of the first products.</param>
    /// <param name="intermediate">Inputs of the last.</param>
    /// <returns>The units derived on this page.</returns>
    public static double TensorCoreUnits<TPrecision>(int hidden, int intermediate)
        where TPrecision : struct, IPrecision =>
        LinearProjection.TensorCoreUnits<TPrecision>(hidden)
        + LinearProjection.TensorCoreUnits<TPrecision>(intermediate)
        + 3
        + (4 * TPrecision.UnitRoundoff / Float32Precision.UnitRoundoff);

    /// <summary>The scratch memory of <see cref="LaunchTensorCores"/>: for x, and then for the activation.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="tokens">Tokens.</param>
    /// <param name="topK">Slots per token.</param>
    /// <param name="hidden">Inputs of the first products.</param>
    /// <param name="intermediate">Inputs of the last.</param>
    /// <returns>Words.</returns>
    internal static long TensorCoreScratch<TPrecision>(int tokens, int topK, int hidden, int intermediate)
        where TPrecision : struct, IPrecision => Math.Max(
            LinearProjection.TensorCoreScratch<TPrecision>(tokens, hidden),
            LinearProjection.TensorCoreScratch<TPrecision>(tokens * topK, intermediate));

    /// <summary>Applies those experts that are on the device, by tensor cores.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="host">The device.</param>
    /// <param name="x">[tokens, hidden], float32, read.</param>
    /// <param name="topKIndices">[tokens, topK], the experts, read.</param>
    /// <param name="topK">Slots per token.</param>
    /// <param name="experts">The weights, not float32.</param>
    /// <param name="room">What lies between, written.</param>
    /// <param name="scratch">[<see cref="TensorCoreScratch"/>], overwritten.</param>
    /// <param name="expertOutputs">
    /// [tokens, topK, hidden], float32, written where the expert is on the device.
    /// </param>
    internal static void LaunchTensorCores<TPrecision>(
        KernelHost host,
        ArrayView<float> x,
        ArrayView<int> topKIndices,
        int topK,
        DeviceExperts experts,
        in ExpertRoom room,
        ArrayView<uint> scratch,
        ArrayView<float> expertOutputs)
        where TPrecision : struct, IPrecision
    {
        ArgumentNullException.ThrowIfNull(host);
        ArgumentNullException.ThrowIfNull(experts);
        int assignments = (int)topKIndices.Length, tokens = assignments / topK, count = (int)experts.Table.Length;
        ExpertDispatch.Launch(host, topKIndices, topK, count, room.Rows, room.Tokens, room.Offsets);
        RowLists fromTokens = new(room.Tokens, room.Rows, room.Offsets, experts.Table, tokens, count);
        LinearProjection.SplitForTensorCores<TPrecision>(host, x, tokens, experts.Gate, scratch);
        LinearProjection.LaunchTensorCoreLists<TPrecision>(
            host, fromTokens, scratch, tokens, experts.Gate, default, room.Gate);
        LinearProjection.LaunchTensorCoreLists<TPrecision>(
            host, fromTokens, scratch, tokens, experts.Up, default, room.Up);
        SwiGlu.Launch<TPrecision>(host, room.Gate, room.Up, room.Gate);
        LinearProjection.SplitForTensorCores<TPrecision>(host, room.Gate, assignments, experts.Down, scratch);
        LinearProjection.LaunchTensorCoreLists<TPrecision>(
            host, fromTokens with { XRows = room.Rows }, scratch, assignments, experts.Down, default, expertOutputs);
    }
}
