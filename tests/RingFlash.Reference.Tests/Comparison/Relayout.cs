// Puts golden taps into the axes of other programs, by plain loops that share nothing with the product.
using System;
using System.Linq;

namespace RingFlash.Reference.Tests.Comparison;

internal static class Relayout
{
    /// <summary>Exchanges axes: axis k of the result is axis order[k] of the values.</summary>
    public static T[] Permute<T>(T[] values, long[] shape, params int[] order)
    {
        T[] result = new T[values.Length];
        long[] place = new long[shape.Length];
        for (int index = 0; index < values.Length; index++)
        {
            long rest = index;
            for (int axis = shape.Length - 1; axis >= 0; axis--)
            {
                place[axis] = rest % shape[axis];
                rest /= shape[axis];
            }

            long target = 0;
            foreach (int axis in order)
            {
                target = (target * shape[axis]) + place[axis];
            }

            result[target] = values[index];
        }

        return result;
    }

    /// <summary>[rows, columns]: the columns in another order, or some of them.</summary>
    public static float[] Columns(float[] values, int width, params int[] columns)
    {
        int rows = values.Length / width;
        float[] result = new float[rows * columns.Length];
        for (int row = 0; row < rows; row++)
        {
            for (int column = 0; column < columns.Length; column++)
            {
                result[(row * columns.Length) + column] = values[(row * width) + columns[column]];
            }
        }

        return result;
    }

    /// <summary>[rows, width]: some of the rows.</summary>
    public static T[] Rows<T>(T[] values, int width, params int[] rows) =>
        [.. rows.SelectMany(row => values.Skip(row * width).Take(width))];

    /// <summary>The channels of heads, one after another.</summary>
    public static int[] Channels(int headDim, params int[] heads) =>
        [.. heads.SelectMany(head => Enumerable.Range(head * headDim, headDim))];

    /// <summary>Half of everything: exact, and two halves make the whole again.</summary>
    public static float[] Half(float[] values) => Array.ConvertAll(values, value => value / 2);
}
