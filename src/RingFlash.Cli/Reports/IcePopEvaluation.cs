using RingFlash.Reference.Objective;
using RingFlash.Reference.Objective.Checking;
using RingFlash.Reference.Objective.Profiles;

namespace RingFlash.Cli.Reports;

/// <summary>A case, what a profile says of it, and the first number that is not what the case expects.</summary>
/// <param name="Case">The case.</param>
/// <param name="Profile">Whose objective.</param>
/// <param name="Precision">float64 or float32.</param>
/// <param name="Values">The values; null where the framework itself raises on this input.</param>
/// <param name="Raised">What it raises; empty where it does not.</param>
/// <param name="IsCompared">Whether the case says what to expect of the published objective, and that was asked
/// for.</param>
/// <param name="Difference">The first difference in one line; empty when there is none.</param>
internal sealed record IcePopEvaluation(
    IcePopCaseFile Case,
    ObjectiveProfile Profile,
    string Precision,
    IcePopExpectation? Values,
    string Raised,
    bool IsCompared,
    string Difference)
{
    /// <summary>The profile that the cases' expected values belong to.</summary>
    private const string Published = "paper";

    /// <summary>Evaluates and compares.</summary>
    /// <param name="file">The case.</param>
    /// <param name="profile">Whose objective.</param>
    /// <param name="single">In float32.</param>
    /// <returns>The evaluation.</returns>
    public static IcePopEvaluation Of(IcePopCaseFile file, ObjectiveProfile profile, bool single)
    {
        string precision = single ? "float32" : "float64";
        IcePopExpectation values;
        try
        {
            values = profile.Evaluate(file, single);
        }
        catch (ProfileErrorException exception)
        {
            return new IcePopEvaluation(file, profile, precision, null, exception.Message, false, string.Empty);
        }

        IcePopExpectation? expected = single ? file.SingleReference : file.Reference;
        if (profile.Name != Published || expected is null || (single && OverflowsSingle(file)))
        {
            return new IcePopEvaluation(file, profile, precision, values, string.Empty, false, string.Empty);
        }

        IcePopTolerance tolerance = new(
            file.Batch, PolicyObjective.Evaluate(file.Batch, file.Options), expected, single);
        IcePopComparison comparison = IcePopComparison.Compare(file.Batch, expected, values, tolerance);
        return new IcePopEvaluation(
            file, profile, precision, values, string.Empty, comparison.Compared > 0, comparison.Difference);
    }

    // A finite end above the largest float32 lets a reference in float32 keep tokens whose ratio overflows; ours are
    // dropped (rule N2b), so there is nothing to compare.
    private static bool OverflowsSingle(IcePopCaseFile file) =>
        file.Options.Correction is IcePopCorrection { Beta: > float.MaxValue and < double.PositiveInfinity };
}
