using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace RingFlash.Reference.Numerics;

/// <summary>
/// Four vectors that take the same steps side by side. The steps of an exponential wait for each other; alone, a chain
/// of them leaves most of a core idle, and it cannot look far enough ahead to find the next chain by itself. Written as
/// one value of 64 lanes, four chains alternate from instruction to instruction.
/// </summary>
/// <remarks>
/// A struct of four fields is what the JIT keeps in registers. Every lane sees the operations of the same name on
/// <see cref="Vector512{T}"/>, so grouping changes no bit.
/// </remarks>
/// <param name="first">Lanes 0 … 15.</param>
/// <param name="second">Lanes 16 … 31.</param>
/// <param name="third">Lanes 32 … 47.</param>
/// <param name="fourth">Lanes 48 … 63.</param>
internal readonly struct FourVectors(
    Vector512<float> first, Vector512<float> second, Vector512<float> third, Vector512<float> fourth)
{
    /// <summary>The number of lanes.</summary>
    public const int Count = 64;

    /// <summary>Whether there are registers for it: without AVX-512 a vector alone takes two of sixteen.</summary>
    public static bool Pay => Vector512.IsHardwareAccelerated;

    /// <summary>Lanes 0 … 15.</summary>
    public readonly Vector512<float> First = first;

    /// <summary>Lanes 16 … 31.</summary>
    public readonly Vector512<float> Second = second;

    /// <summary>Lanes 32 … 47.</summary>
    public readonly Vector512<float> Third = third;

    /// <summary>Lanes 48 … 63.</summary>
    public readonly Vector512<float> Fourth = fourth;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FourVectors operator +(FourVectors x, FourVectors y) =>
        new(x.First + y.First, x.Second + y.Second, x.Third + y.Third, x.Fourth + y.Fourth);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FourVectors operator -(FourVectors x, FourVectors y) =>
        new(x.First - y.First, x.Second - y.Second, x.Third - y.Third, x.Fourth - y.Fourth);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FourVectors operator -(FourVectors x) => new(-x.First, -x.Second, -x.Third, -x.Fourth);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FourVectors operator *(FourVectors x, FourVectors y) =>
        new(x.First * y.First, x.Second * y.Second, x.Third * y.Third, x.Fourth * y.Fourth);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FourVectors operator /(FourVectors x, FourVectors y) =>
        new(x.First / y.First, x.Second / y.Second, x.Third / y.Third, x.Fourth / y.Fourth);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FourVectors operator &(FourVectors x, FourVectors y) =>
        new(x.First & y.First, x.Second & y.Second, x.Third & y.Third, x.Fourth & y.Fourth);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FourVectors operator |(FourVectors x, FourVectors y) =>
        new(x.First | y.First, x.Second | y.Second, x.Third | y.Third, x.Fourth | y.Fourth);

    /// <summary>The same number in every lane.</summary>
    /// <param name="value">The number.</param>
    /// <returns>The lanes.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FourVectors Create(float value)
    {
        Vector512<float> lanes = Vector512.Create(value);
        return new(lanes, lanes, lanes, lanes);
    }

    /// <summary>Reads 64 consecutive elements.</summary>
    /// <param name="start">The first element of an array.</param>
    /// <param name="index">Where in it to begin.</param>
    /// <returns>The lanes.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FourVectors Load(ref float start, int index) => new(
        Vector512.LoadUnsafe(ref start, (nuint)index),
        Vector512.LoadUnsafe(ref start, (nuint)index + 16),
        Vector512.LoadUnsafe(ref start, (nuint)index + 32),
        Vector512.LoadUnsafe(ref start, (nuint)index + 48));

    /// <summary>x · y + z, rounded once.</summary>
    /// <param name="x">A factor.</param>
    /// <param name="y">A factor.</param>
    /// <param name="z">The addend.</param>
    /// <returns>The lanes.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FourVectors FusedMultiplyAdd(FourVectors x, FourVectors y, FourVectors z) => new(
        Vector512.FusedMultiplyAdd(x.First, y.First, z.First),
        Vector512.FusedMultiplyAdd(x.Second, y.Second, z.Second),
        Vector512.FusedMultiplyAdd(x.Third, y.Third, z.Third),
        Vector512.FusedMultiplyAdd(x.Fourth, y.Fourth, z.Fourth));

    /// <summary>x where the mask is all ones, y where it is all zeros.</summary>
    /// <param name="mask">Bits.</param>
    /// <param name="x">One choice.</param>
    /// <param name="y">The other.</param>
    /// <returns>The lanes.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FourVectors Select(FourVectors mask, FourVectors x, FourVectors y) => new(
        Vector512.ConditionalSelect(mask.First, x.First, y.First),
        Vector512.ConditionalSelect(mask.Second, x.Second, y.Second),
        Vector512.ConditionalSelect(mask.Third, x.Third, y.Third),
        Vector512.ConditionalSelect(mask.Fourth, x.Fourth, y.Fourth));

    /// <summary>The sum of the lanes as integers: the product with a power of two, when y is one in the exponent's
    /// place and nothing overflows.</summary>
    /// <param name="x">Bits.</param>
    /// <param name="y">Bits.</param>
    /// <returns>The bits of the sums.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FourVectors AddBits(FourVectors x, FourVectors y)
    {
        return new(
            Sum(x.First, y.First), Sum(x.Second, y.Second), Sum(x.Third, y.Third), Sum(x.Fourth, y.Fourth));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static Vector512<float> Sum(Vector512<float> x, Vector512<float> y) => (x.AsInt32() + y.AsInt32()).AsSingle();
    }

    /// <summary>Moves the lowest nine bits of every lane to where float32 has its sign and exponent.</summary>
    /// <returns>The bits.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public FourVectors ToExponentField()
    {
        return new(Moved(First), Moved(Second), Moved(Third), Moved(Fourth));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static Vector512<float> Moved(Vector512<float> x) => Vector512.ShiftLeft(x.AsInt32(), 23).AsSingle();
    }

    /// <summary>All ones where the sign bit is set, all zeros elsewhere.</summary>
    /// <returns>The mask.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public FourVectors SignMask()
    {
        return new(Mask(First), Mask(Second), Mask(Third), Mask(Fourth));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static Vector512<float> Mask(Vector512<float> x) =>
            Vector512.ShiftRightArithmetic(x.AsInt32(), 31).AsSingle();
    }

    /// <summary>Rounds every lane to the storage type.</summary>
    /// <typeparam name="TPrecision">The precision policy.</typeparam>
    /// <returns>The rounded lanes.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public FourVectors Round<TPrecision>()
        where TPrecision : struct, IPrecision =>
        new(TPrecision.Round(First), TPrecision.Round(Second), TPrecision.Round(Third), TPrecision.Round(Fourth));

    /// <summary>Writes 64 consecutive elements.</summary>
    /// <param name="start">The first element of an array.</param>
    /// <param name="index">Where in it to begin.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(ref float start, int index)
    {
        First.StoreUnsafe(ref start, (nuint)index);
        Second.StoreUnsafe(ref start, (nuint)index + 16);
        Third.StoreUnsafe(ref start, (nuint)index + 32);
        Fourth.StoreUnsafe(ref start, (nuint)index + 48);
    }
}
