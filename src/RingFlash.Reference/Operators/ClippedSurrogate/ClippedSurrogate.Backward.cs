using System;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace RingFlash.Reference.Operators;

public static partial class ClippedSurrogate
{
    /// <summary>
    /// dy/dlog r: exactly 0 where clipped, and the contribution itself elsewhere, because d(r)/d(log r) = r. A
    /// selection without arithmetic, so one definition serves every engine and precision.
    /// </summary>
    /// <typeparam name="T">The number type.</typeparam>
    /// <param name="contributions">[tokens], read: the forward result.</param>
    /// <param name="clipped">[tokens], read.</param>
    /// <param name="gradient">[tokens], written; may be contributions.</param>
    public static void Backward<T>(ReadOnlySpan<T> contributions, ReadOnlySpan<byte> clipped, Span<T> gradient)
        where T : struct
    {
        int t = 0;
        if (typeof(T) == typeof(float))
        {
            ReadOnlySpan<float> values = MemoryMarshal.Cast<T, float>(contributions);
            Span<float> selected = MemoryMarshal.Cast<T, float>(gradient);
            for (; t + 16 <= values.Length; t += 16)
            {
                Vector512<float> flows =
                    Vector512.Equals(IcePopMask.WidenBytes(clipped[t..]), Vector512<int>.Zero).AsSingle();
                (Vector512.Create(values[t..]) & flows).CopyTo(selected[t..]);
            }
        }

        for (; t < contributions.Length; t++)
        {
            gradient[t] = clipped[t] != 0 ? default : contributions[t];
        }
    }
}
