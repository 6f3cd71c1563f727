namespace RingFlash.Reference.Numerics;

/// <summary>
/// The rows of a tile as a type, so that the compiler makes one loop per count with every sum in a register.
/// </summary>
internal interface IRowCount
{
    /// <summary>The number of rows, 1 … 12.</summary>
    static abstract int Count { get; }
}

/// <summary>The twelve counts.</summary>
internal static class RowCounts
{
    internal readonly struct One : IRowCount
    {
        public static int Count => 1;
    }

    internal readonly struct Two : IRowCount
    {
        public static int Count => 2;
    }

    internal readonly struct Three : IRowCount
    {
        public static int Count => 3;
    }

    internal readonly struct Four : IRowCount
    {
        public static int Count => 4;
    }

    internal readonly struct Five : IRowCount
    {
        public static int Count => 5;
    }

    internal readonly struct Six : IRowCount
    {
        public static int Count => 6;
    }

    internal readonly struct Seven : IRowCount
    {
        public static int Count => 7;
    }

    internal readonly struct Eight : IRowCount
    {
        public static int Count => 8;
    }

    internal readonly struct Nine : IRowCount
    {
        public static int Count => 9;
    }

    internal readonly struct Ten : IRowCount
    {
        public static int Count => 10;
    }

    internal readonly struct Eleven : IRowCount
    {
        public static int Count => 11;
    }

    internal readonly struct Twelve : IRowCount
    {
        public static int Count => 12;
    }
}
