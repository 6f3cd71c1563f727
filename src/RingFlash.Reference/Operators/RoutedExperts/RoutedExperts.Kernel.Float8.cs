using System;
using ILGPU;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <content>
/// Quantised activations on a device: the rows of x are quantised once, those between the products once per assignment,
/// and the kernels are those of <see cref="LinearProjection"/>. Nothing is grouped, as on the CPU.
/// </content>
public static partial class RoutedExperts
{
    /// <summary>Applies those experts that are on the device, on quantised activations.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <param name="host">The device.</param>
    /// <param name="x">[tokens, hidden], float32, read.</param>
    /// <param name="topKIndices">[tokens, topK], the experts, read.</param>
    /// <param name="topK">Slots per token.</param>
    /// <param name="experts">The weights, block-FP8.</param>
    /// <param name="room">What lies between, written.</param>
    /// <param name="expertOutputs">
    /// [tokens, topK, hidden], float32, written where the expert is on the device.
    /// </param>
    internal static void LaunchQuantised<TPrecision>(
        KernelHost host,
        ArrayView<float> x,
        ArrayView<int> topKIndices,
        int topK,
        DeviceExperts experts,
        in QuantisedRoom room,
        ArrayView<float> expertOutputs)
        where TPrecision : struct, IPrecision
    {
        ArgumentNullException.ThrowIfNull(host);
        ArgumentNullException.ThrowIfNull(experts);
        DeviceMatrix gate = experts.Gate.Matrix, up = experts.Up.Matrix, down = experts.Down.Matrix;
        int assignments = (int)topKIndices.Length, tokens = assignments / topK;
        LinearProjection.ProductPlaces perToken = new(topKIndices, experts.Table, tokens, topK, 1);
        LinearProjection.LaunchQuantise(host, x, tokens, gate.Inputs, room.Codes, room.Scales);
        LinearProjection.LaunchQuantised<TPrecision>(
            host, new(perToken, room.Codes, room.Scales, gate, default, room.Gate));
        LinearProjection.LaunchQuantised<TPrecision>(
            host, new(perToken, room.Codes, room.Scales, up, default, room.Up));
        SwiGlu.Launch<TPrecision>(host, room.Gate, room.Up, room.Gate);
        LinearProjection.LaunchQuantise(host, room.Gate, assignments, down.Inputs, room.Codes, room.Scales);
        LinearProjection.LaunchQuantised<TPrecision>(
            host,
            new(perToken with { XRowsPerToken = topK }, room.Codes, room.Scales, down, default, expertOutputs));
    }

    /// <summary>Memory for what lies between the products; codes and scales serve x and then the activation.</summary>
    /// <param name="Gate">[tokens, topK, intermediate]; then the activation.</param>
    /// <param name="Up">[tokens, topK, intermediate].</param>
    /// <param name="Codes">As many as the longer of x and the activation.</param>
    /// <param name="Scales">One for each of their blocks.</param>
    internal readonly record struct QuantisedRoom(
        ArrayView<float> Gate, ArrayView<float> Up, ArrayView<float> Codes, ArrayView<float> Scales)
    {
        /// <summary>The codes and scales that there has to be room for.</summary>
        /// <param name="tokens">Tokens.</param>
        /// <param name="topK">Slots per token.</param>
        /// <param name="hidden">Inputs of the first products.</param>
        /// <param name="intermediate">Inputs of the last.</param>
        /// <returns>Both lengths.</returns>
        public static (int Codes, int Scales) Lengths(int tokens, int topK, int hidden, int intermediate)
        {
            int assignments = tokens * topK;
            return (
                Math.Max(tokens * hidden, assignments * intermediate),
                Math.Max(tokens * BlocksOf(hidden), assignments * BlocksOf(intermediate)));
        }

        private static int BlocksOf(int length) => (length + Summation.BlockLength - 1) / Summation.BlockLength;
    }
}
