using System.CommandLine;
using System.Globalization;

namespace RingFlash.Cli.Commands;

/// <summary>Sizes such as <c>5GB</c> or <c>512MiB</c>, as Transformers spells them.</summary>
internal static class ByteSize
{
    private static readonly (string Unit, long Bytes)[] Units =
    [
        ("GiB", 1L << 30), ("MiB", 1L << 20), ("KiB", 1L << 10), ("GB", 1_000_000_000), ("MB", 1_000_000), ("KB", 1000),
    ];

    /// <summary>The option <c>--memory-limit</c>, the same for every command that reads weights.</summary>
    /// <returns>The option; for <see cref="Parse"/>.</returns>
    public static Option<string?> MemoryLimit() => new("--memory-limit")
    {
        Description = "Keep weights in memory, read ahead, but take no more than this in all, e.g. 8GB. Default: every "
            + "weight is read where it is multiplied. The numbers are the same.",
        HelpName = "SIZE",
    };

    /// <summary>Reads a size.</summary>
    /// <param name="text">A whole number and a unit, or bytes without one.</param>
    /// <param name="option">The option, for the message.</param>
    /// <returns>Bytes, at least 1.</returns>
    /// <exception cref="UsageException">It is no size.</exception>
    public static long Parse(string text, string option)
    {
        string number = text;
        long unit = 1;
        foreach ((string name, long bytes) in Units)
        {
            if (text.EndsWith(name, System.StringComparison.Ordinal))
            {
                number = text[..^name.Length].TrimEnd();
                unit = bytes;
                break;
            }
        }

        bool good = long.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out long count)
            && count >= 1
            && count <= long.MaxValue / unit;
        return good
            ? count * unit
            : throw new UsageException($"{option}: '{text}' is not a size; write 5GB, 500MB, 4GiB or bytes");
    }
}
