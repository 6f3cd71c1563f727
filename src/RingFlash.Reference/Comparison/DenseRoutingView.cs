using System;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Comparison;

/// <summary>
/// The chosen experts, or their weights, out of a table [n, experts] that is zero where an expert was not chosen, as
/// Megatron's router returns them; in ascending order of the experts. [n, top_k].
/// </summary>
/// <param name="table">The table.</param>
/// <param name="experts">Its width.</param>
/// <param name="topK">How many are chosen; another number is refused when it is read.</param>
/// <param name="wantsIndices">Whether indices are wanted and not weights.</param>
/// <param name="place">Where the table lies, for messages.</param>
internal sealed class DenseRoutingView(
    TensorView table, int experts, int topK, bool wantsIndices, string place) : TensorView
{
    public override long Length => table.Length / experts * topK;

    public override ElementType ElementType => wantsIndices ? ElementType.Int64 : table.ElementType;

    public override void Read<T>(long first, Span<T> destination)
    {
        float[] row = new float[experts];
        float[] chosen = new float[topK];
        while (destination.Length > 0)
        {
            (long token, long slot) = Math.DivRem(first, topK);
            ReadRow(token * experts, row);
            int count = 0;
            for (int expert = 0; expert < experts; expert++)
            {
                if (row[expert] == 0)
                {
                    continue;
                }

                if (count < topK)
                {
                    chosen[count] = wantsIndices ? expert : row[expert];
                }

                count++;
            }

            if (count != topK)
            {
                throw new InvalidInputException(
                    place,
                    string.Empty,
                    $"row {token} has {count} experts that are not zero; the model chooses {topK}");
            }

            int take = (int)Math.Min(destination.Length, topK - slot);
            for (int index = 0; index < take; index++)
            {
                float value = chosen[slot + index];
                destination[index] = typeof(T) == typeof(float) ? (T)(object)value : (T)(object)(long)value;
            }

            destination = destination[take..];
            first += take;
        }
    }

    private void ReadRow(long first, float[] row)
    {
        if (table.ElementType is ElementType.Float32 or ElementType.BFloat16 or ElementType.Float16
            or ElementType.Float64)
        {
            table.Read(first, row.AsSpan());
            return;
        }

        long[] integers = new long[row.Length];
        table.Read(first, integers.AsSpan());
        for (int index = 0; index < row.Length; index++)
        {
            row[index] = integers[index];
        }
    }
}
