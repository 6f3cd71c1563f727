namespace RingFlash.Reference.Comparison;

/// <summary>One thing that was looked at before any number is compared.</summary>
/// <param name="Id">Stable: <c>input_ids</c>, <c>config.rms_norm_eps</c>, <c>weights</c>, ….</param>
/// <param name="Severity">How much it means.</param>
/// <param name="Text">One line: what was found.</param>
public sealed record PreflightFinding(string Id, PreflightSeverity Severity, string Text);

/// <summary>How much a finding means.</summary>
public enum PreflightSeverity
{
    /// <summary>As it should be, or not in the dump.</summary>
    Fine,

    /// <summary>It changes numbers, or may.</summary>
    Warning,

    /// <summary>Whatever the numbers say, they cannot show that the candidate is right.</summary>
    NoPass,

    /// <summary>No number means anything.</summary>
    Stop,
}
