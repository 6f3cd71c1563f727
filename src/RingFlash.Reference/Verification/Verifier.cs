using System;
using System.Threading;

namespace RingFlash.Reference.Verification;

/// <summary>Runs golden cases and compares every tap with the reference.</summary>
public static class Verifier
{
    /// <summary>Verifies.</summary>
    /// <param name="options">What to verify and how.</param>
    /// <param name="progress">Told where the work stands; or null.</param>
    /// <param name="cancellation">Stops between operators.</param>
    /// <returns>The report.</returns>
    public static VerifyReport Run(
        VerifyOptions options, IProgress<VerifyProgress>? progress = null, CancellationToken cancellation = default) =>
        throw new NotSupportedException();
}
