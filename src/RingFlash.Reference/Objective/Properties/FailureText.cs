using System.Globalization;
using System.Runtime.CompilerServices;

namespace RingFlash.Reference.Objective.Properties;

/// <summary>A message that is only put together when its condition does not hold; checks run millions of
/// times.</summary>
[InterpolatedStringHandler]
internal ref struct FailureText
{
    private DefaultInterpolatedStringHandler builder;

    public FailureText(int literalLength, int formattedCount, bool holds, out bool append)
    {
        append = !holds;
        builder = holds
            ? default
            : new DefaultInterpolatedStringHandler(literalLength, formattedCount, CultureInfo.InvariantCulture);
    }

    public void AppendLiteral(string text) => builder.AppendLiteral(text);

    public void AppendFormatted<T>(T value) => builder.AppendFormatted(value);

    public string Finish() => builder.ToStringAndClear();
}
