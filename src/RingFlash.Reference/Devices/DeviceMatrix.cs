using ILGPU;

namespace RingFlash.Reference.Devices;

/// <summary>
/// A weight W [outputs, inputs] on a device: rows of words, each row from a multiple of 16 bytes on, zero-filled
/// behind its end; and the scales of its blocks, if it has any.
/// </summary>
/// <param name="Words">[outputs, pitch].</param>
/// <param name="Scales">[⌈outputs/128⌉, ⌈inputs/128⌉], or empty.</param>
/// <param name="Outputs">Rows.</param>
/// <param name="Inputs">Columns.</param>
/// <param name="Pitch">Words from one row to the next, a multiple of 4.</param>
public readonly record struct DeviceMatrix(
    ArrayView<uint> Words, ArrayView<float> Scales, int Outputs, int Inputs, int Pitch)
{
    /// <summary>The matrix in a slot behind this one.</summary>
    /// <param name="slot">The slot.</param>
    /// <returns>That matrix.</returns>
    public DeviceMatrix InSlot(int slot)
    {
        long words = (long)Outputs * Pitch;
        long scales = (long)((Outputs + 127) >> 7) * ((Inputs + 127) >> 7);
        return new DeviceMatrix(
            Words.SubView(slot * words, words),
            Scales.Length == 0 ? Scales : Scales.SubView(slot * scales, scales),
            Outputs,
            Inputs,
            Pitch);
    }

    /// <summary>One weight, scaled.</summary>
    /// <typeparam name="TFormat">The format.</typeparam>
    /// <param name="row">The row.</param>
    /// <param name="column">The column.</param>
    /// <returns>The number.</returns>
    public float Read<TFormat>(int row, int column)
        where TFormat : struct, IWeightFormat
    {
        float value = TFormat.Decode(Words[((long)row * Pitch) + (column >> TFormat.Shift)], column);
        return TFormat.HasScales ? value * ScaleOf<TFormat>(row, column) : value;
    }

    /// <summary>The scale of a block of a matrix in a slot; 1 where the format has none.</summary>
    /// <typeparam name="TFormat">The format.</typeparam>
    /// <param name="slot">The slot.</param>
    /// <param name="row">A row of the block.</param>
    /// <param name="block">The block's place in the row.</param>
    /// <returns>The scale.</returns>
    public float ScaleInSlot<TFormat>(int slot, int row, int block)
        where TFormat : struct, IWeightFormat =>
        TFormat.HasScales
            ? Scales[(((slot * ((Outputs + 127) >> 7)) + (row >> 7)) * ((Inputs + 127) >> 7)) + block]
            : 1f;

    /// <summary>The scale of a block; 1 where the format has none.</summary>
    /// <typeparam name="TFormat">The format.</typeparam>
    /// <param name="row">A row of the block.</param>
    /// <param name="column">A column of the block.</param>
    /// <returns>The scale.</returns>
    public float ScaleOf<TFormat>(int row, int column)
        where TFormat : struct, IWeightFormat =>
        TFormat.HasScales ? Scales[((row >> 7) * ((Inputs + 127) >> 7)) + (column >> 7)] : 1f;
}
