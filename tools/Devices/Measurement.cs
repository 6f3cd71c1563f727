namespace RingFlash.Devices;

/// <summary>One thing that was checked and then timed; in a rehearsal the times are null.</summary>
/// <param name="Name">The kernel or the model's step.</param>
/// <param name="Size">Its sizes.</param>
/// <param name="Check">How it was checked before.</param>
/// <param name="Seconds">The median.</param>
/// <param name="LowerQuartile">Of the samples.</param>
/// <param name="UpperQuartile">Of the samples.</param>
/// <param name="Floor">What it is held against: bytes, fma, mma; empty for nothing.</param>
/// <param name="OfFloor">The floor's time divided by the median: 1 cannot be beaten.</param>
/// <param name="Rate">Units per second.</param>
/// <param name="Unit">Of the rate.</param>
internal sealed record Measurement(
    string Name,
    string Size,
    string Check,
    double? Seconds,
    double? LowerQuartile,
    double? UpperQuartile,
    string Floor,
    double? OfFloor,
    double? Rate,
    string Unit);

/// <summary>A part of the report.</summary>
/// <param name="Name">Its headline.</param>
/// <param name="Passed">Whether nothing was wrong; comparing nothing is wrong.</param>
/// <param name="Lines">What it says.</param>
/// <param name="Measurements">What it timed.</param>
internal sealed record ReportSection(
    string Name,
    bool Passed,
    System.Collections.Generic.IReadOnlyList<string> Lines,
    System.Collections.Generic.IReadOnlyList<Measurement> Measurements);
