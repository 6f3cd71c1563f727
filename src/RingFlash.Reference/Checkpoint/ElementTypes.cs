using System;
using System.Collections.Generic;
using System.Diagnostics.CodeAnalysis;
using System.Linq;
using System.Text;

namespace RingFlash.Reference.Checkpoint;

/// <summary>Names and sizes of <see cref="ElementType"/> as a safetensors header spells them.</summary>
public static class ElementTypes
{
    // In the order of the safetensors library's own enumeration: writers place tensors by descending position in it,
    // which is descending alignment as well. Its types that are missing here (F4, F6 kinds, E8M0, C64) are not read.
    private static readonly (ElementType Type, string Name, int ByteCount)[] Table =
    [
        (ElementType.Boolean, "BOOL", 1),
        (ElementType.UInt8, "U8", 1),
        (ElementType.Int8, "I8", 1),
        (ElementType.Float8E5M2, "F8_E5M2", 1),
        (ElementType.Float8E4M3, "F8_E4M3", 1),
        (ElementType.Int16, "I16", 2),
        (ElementType.UInt16, "U16", 2),
        (ElementType.Float16, "F16", 2),
        (ElementType.BFloat16, "BF16", 2),
        (ElementType.Int32, "I32", 4),
        (ElementType.UInt32, "U32", 4),
        (ElementType.Float32, "F32", 4),
        (ElementType.Float64, "F64", 8),
        (ElementType.Int64, "I64", 8),
        (ElementType.UInt64, "U64", 8),
    ];

    /// <summary>Every name that is read, for error messages.</summary>
    public static string KnownNames { get; } = string.Join(", ", Table.Select(row => row.Name));

    /// <summary>The bytes of one element.</summary>
    /// <param name="type">The element type.</param>
    /// <returns>1, 2, 4 or 8.</returns>
    public static int ByteCount(this ElementType type) => Table[Position(type)].ByteCount;

    /// <summary>The name in a safetensors header, e.g. <c>BF16</c>.</summary>
    /// <param name="type">The element type.</param>
    /// <returns>The name.</returns>
    public static string HeaderName(this ElementType type) => Table[Position(type)].Name;

    /// <summary>Finds a type by its exact header name; <c>f32</c> is not <c>F32</c>.</summary>
    /// <param name="name">The name.</param>
    /// <param name="type">The type, when known.</param>
    /// <returns>Whether the name is known.</returns>
    public static bool TryParse(string name, [NotNullWhen(true)] out ElementType? type)
    {
        foreach ((ElementType candidate, string candidateName, _) in Table)
        {
            if (candidateName == name)
            {
                type = candidate;
                return true;
            }
        }

        type = null;
        return false;
    }

    /// <summary>The order in a canonical file: types of larger alignment first, then names by their bytes.</summary>
    internal static IComparer<TensorInfo> FileOrder { get; } = Comparer<TensorInfo>.Create(
        static (left, right) =>
        {
            int byType = Position(right.ElementType).CompareTo(Position(left.ElementType));
            return byType != 0 ? byType : CompareUtf8(left.Name, right.Name);
        });

    // UTF-16 order differs from UTF-8 order only where surrogates meet the range above them.
    private static int CompareUtf8(string left, string right) =>
        Encoding.UTF8.GetBytes(left).AsSpan().SequenceCompareTo(Encoding.UTF8.GetBytes(right));

    private static int Position(ElementType type)
    {
        int position = Array.FindIndex(Table, row => row.Type == type);
        return position >= 0 ? position : throw new ArgumentOutOfRangeException(nameof(type));
    }
}
