using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Objective.Profiles;

namespace RingFlash.Reference.Objective.Checking;

/// <summary>What a check found about one case.</summary>
/// <param name="Case">The case.</param>
/// <param name="IsSingle">Whether the numbers were judged as float32.</param>
/// <param name="Comparison">The comparison; null where there was nothing to compare.</param>
/// <param name="Problem">Why there is no comparison; empty where there is one, or where both sides raise.</param>
/// <param name="NotCompared">Quantities of theirs that were not compared.</param>
public sealed record IcePopCheckedCase(
    IcePopCaseFile Case,
    bool IsSingle,
    IcePopComparison? Comparison,
    string Problem,
    IReadOnlyList<string> NotCompared)
{
    /// <summary>Numbers compared; 1 where both sides raise, which is agreement too.</summary>
    public int Compared => Comparison?.Compared ?? (Problem.Length == 0 ? 1 : 0);

    /// <summary>Whether something was compared and nothing is wrong.</summary>
    public bool Agrees => Problem.Length == 0 && Compared > 0 && Comparison?.FirstWrong is null;

    /// <summary>The first wrong number, or the problem, in one line; empty where the case agrees.</summary>
    public string Text => Problem.Length > 0 ? Problem
        : Comparison is null ? string.Empty
        : Comparison.Compared == 0 ? "nothing to compare"
        : Comparison.Difference;
}

/// <summary>A profile that gives somebody's numbers, in all cases or in some.</summary>
/// <param name="Profile">The profile.</param>
/// <param name="Cases">Cases in which every number compared is equal.</param>
/// <param name="Compared">Numbers compared in them.</param>
/// <param name="WithinSingle">Whether they are equal only within the rounding of float32, though said to be
/// float64.</param>
public sealed record EqualProfile(ObjectiveProfile Profile, int Cases, int Compared, bool WithinSingle);

/// <summary>Somebody's results for cases, held against a profile; where they differ, against every other one.</summary>
public sealed class IcePopCheck
{
    private IcePopCheck(
        ObjectiveProfile profile,
        IReadOnlyList<IcePopCheckedCase> cases,
        IReadOnlyList<string> withoutCase,
        IReadOnlyList<EqualProfile> equal,
        EqualProfile? nearest,
        IReadOnlyList<IcePopMistake> mistakes)
    {
        Profile = profile;
        Cases = cases;
        WithoutCase = withoutCase;
        EqualProfiles = equal;
        NearestProfile = nearest;
        Mistakes = mistakes;
    }

    /// <summary>What the numbers were held against.</summary>
    public ObjectiveProfile Profile { get; }

    /// <summary>Every case, in the order given.</summary>
    public IReadOnlyList<IcePopCheckedCase> Cases { get; }

    /// <summary>Results whose case was not given.</summary>
    public IReadOnlyList<string> WithoutCase { get; }

    /// <summary>The other profiles that give these numbers in every case, those with the most numbers compared first;
    /// empty where the check passed.</summary>
    public IReadOnlyList<EqualProfile> EqualProfiles { get; }

    /// <summary>Where none does: the one that gives them in more cases than any other, the chosen one included; or
    /// null.</summary>
    public EqualProfile? NearestProfile { get; }

    /// <summary>Changes of the published objective, one at a time, that give these numbers in every case; empty where
    /// the check passed.</summary>
    public IReadOnlyList<IcePopMistake> Mistakes { get; }

    /// <summary>Numbers compared.</summary>
    public int Compared => Cases.Sum(one => one.Compared);

    /// <summary>Whether every case was compared and agrees. Nothing compared is not a pass.</summary>
    public bool Passed => Cases.Count > 0 && Cases.All(one => one.Agrees);

    /// <summary>Compares.</summary>
    /// <param name="cases">The cases; names must differ.</param>
    /// <param name="actual">Their results.</param>
    /// <param name="profile">What they are held against.</param>
    /// <param name="single">Whether their numbers are float32; null for what the file says, float64 where it says
    /// nothing.</param>
    /// <returns>What was found.</returns>
    /// <exception cref="InvalidInputException">A result does not fit its case; two cases have one name.</exception>
    public static IcePopCheck Run(
        IReadOnlyList<IcePopCaseFile> cases, IcePopActualFile actual, ObjectiveProfile profile, bool? single = null)
    {
        ArgumentNullException.ThrowIfNull(cases);
        ArgumentNullException.ThrowIfNull(actual);
        ArgumentNullException.ThrowIfNull(profile);
        if (cases.GroupBy(one => one.Name).FirstOrDefault(group => group.Count() > 1) is { } twice)
        {
            throw new InvalidInputException(
                twice.Last().Path, twice.Key, "two cases have this name; results could not be told apart");
        }

        bool nameless = cases.Count == 1 && actual.Results is [{ Name: null }];
        Subject[] subjects =
        [
            .. cases.Select(file => new Subject(
                file, actual.Results.FirstOrDefault(result => nameless || result.Name == file.Name), single)),
        ];
        IcePopCheckedCase[] checkedCases = [.. subjects.Select(subject => subject.Against(profile, actual.Path))];
        string[] withoutCase = nameless ? [] :
        [
            .. actual.Results.Where(result => cases.All(file => file.Name != result.Name))
                .Select(result => result.Name ?? "a result without the name of its case"),
        ];
        if (checkedCases.All(one => one.Agrees))
        {
            return new IcePopCheck(profile, checkedCases, withoutCase, [], null, []);
        }

        for (int index = 0; index < subjects.Length; index++)
        {
            subjects[index].Wrong = checkedCases[index].Comparison?.WrongNames ?? [];
        }

        Subject[] given = [.. subjects.Where(subject => subject.Actual is not null)];
        EqualProfile[] tried = Try(given, profile);
        EqualProfile[] equal = [.. tried.Where(one => one.Cases == given.Length && one.Compared > 0)];
        EqualProfile? nearest = tried.FirstOrDefault(one => one.Cases > checkedCases.Count(item => item.Agrees));
        IcePopMistake[] mistakes =
        [
            .. IcePopMistake.All.Where(mistake => given.Length > 0 && given.All(subject =>
                subject.EqualNumbers(mistake.Evaluate, false, false) > 0)),
        ];
        return new IcePopCheck(
            profile, checkedCases, withoutCase, equal, equal.Length > 0 ? null : nearest, mistakes);
    }

    private static EqualProfile[] Try(Subject[] given, ObjectiveProfile chosen)
    {
        EqualProfile Judge(ObjectiveProfile profile, bool singleTolerance, bool singleValues)
        {
            int[] numbers =
                [.. given.Select(subject => subject.EqualNumbers(profile.Evaluate, singleTolerance, singleValues))];
            return new EqualProfile(profile, numbers.Count(count => count > 0), numbers.Sum(), singleTolerance);
        }

        ObjectiveProfile[] others = [.. ObjectiveProfiles.All.Where(profile => profile.Name != chosen.Name)];
        EqualProfile[] exact =
        [
            .. others.Select(profile => Judge(profile, false, false)),
            .. others.Where(RoundsToSingle).Select(profile => Judge(profile, true, false)),
        ];

        // Some people forget to say that they computed in float32.
        bool isRounded = exact.All(one => one.Cases < given.Length || one.WithinSingle)
            && !given.All(subject => subject.IsSingle);
        EqualProfile[] rounded = !isRounded ? [] :
        [
            .. ObjectiveProfiles.All.Select(profile => Judge(profile, true, false)),
            .. ObjectiveProfiles.All.Select(profile => Judge(profile, true, true)),
        ];
        return
        [
            .. exact.Concat(rounded).OrderByDescending(one => one.Cases).ThenByDescending(one => one.Compared)
                .ThenBy(one => one.WithinSingle).DistinctBy(one => one.Profile.Name),
        ];
    }

    // Their float32 exponential and ours differ by an ulp of float32 also where everything around them is float64.
    private static bool RoundsToSingle(ObjectiveProfile profile) =>
        profile.Faults.Contains(KnownFaults.SinglePrecision);

    /// <summary>A case with the result to be judged; the gauges are computed once.</summary>
    private sealed class Subject(IcePopCaseFile file, IcePopActual? actual, bool? single)
    {
        private readonly Lazy<ObjectiveResult> _published = new(
            () => PolicyObjective.Evaluate(file.Batch, file.Options));

        private readonly Lazy<IcePopExpectation> _values = new(() => actual!.ReadValues(file));

        public IcePopActual? Actual => actual;

        /// <summary>The quantities that are wrong by the chosen profile.</summary>
        public IReadOnlyList<string> Wrong { get; set; } = [];

        public bool IsSingle => single ?? actual?.IsSingle ?? false;

        public IcePopCheckedCase Against(ObjectiveProfile profile, string actualPath)
        {
            if (actual is null)
            {
                return new IcePopCheckedCase(file, IsSingle, null, $"no result in {actualPath}", []);
            }

            IcePopExpectation? values = actual.Error is null ? _values.Value : null;
            IcePopExpectation? expected = Evaluate(profile.Evaluate, IsSingle, out string raised);
            string problem = (values, expected) switch
            {
                (null, null) when Kind(actual.Error) != Kind(raised) =>
                    $"raises: {actual.Error}; profile {profile.Name} raises: {raised}",
                (null, null) or (not null, not null) => string.Empty,
                (null, not null) => $"raises: {actual.Error}",
                _ => $"profile {profile.Name} raises here ({raised}); these numbers cannot be its",
            };
            IcePopComparison? comparison = values is not null && expected is not null
                ? Compare(expected, values, IsSingle || RoundsToSingle(profile))
                : null;
            return new IcePopCheckedCase(
                file, IsSingle, comparison, problem, [.. actual.Unknown, .. comparison?.NotCompared ?? []]);
        }

        /// <summary>How many numbers equal somebody's; 0 where one does not.</summary>
        public int EqualNumbers(
            Func<IcePopCaseFile, bool, IcePopExpectation?> evaluate, bool singleTolerance, bool singleValues)
        {
            IcePopExpectation? expected = Evaluate(evaluate, IsSingle || singleValues, out string raised);
            if (expected is null || actual!.Error is not null)
            {
                bool same = expected is null && actual!.Error is not null && Kind(actual.Error) == Kind(raised);
                return same ? 1 : 0;
            }

            IcePopComparison comparison = Compare(expected, _values.Value, IsSingle || singleTolerance);

            // A profile explains nothing without one of the quantities that are wrong, or without a loss and a gradient
            // where there are some.
            bool explains = Wrong.Count == 0 || comparison.Quantities.Any(quantity => Wrong.Contains(quantity.Name));
            bool hasLoss = _values.Value.Loss.Count + _values.Value.Gradient.Count > 0;
            return comparison.Agrees && explains && (!hasLoss || comparison.HasLossOrGradient)
                ? comparison.Compared
                : 0;
        }

        /// <summary>The type of a Python exception, without its message.</summary>
        private static string Kind(string? error) => (error ?? string.Empty).Split(':', '(', ' ')[0];

        private IcePopComparison Compare(IcePopExpectation expected, IcePopExpectation values, bool asSingle) =>
            IcePopComparison.Compare(
                file.Batch,
                expected,
                values,
                new IcePopTolerance(file.Batch, _published.Value, expected, asSingle));

        private IcePopExpectation? Evaluate(
            Func<IcePopCaseFile, bool, IcePopExpectation?> evaluate, bool asSingle, out string raised)
        {
            try
            {
                raised = string.Empty;
                return evaluate(file, asSingle);
            }
            catch (ProfileErrorException exception)
            {
                raised = exception.Message;
                return null;
            }
            catch (InvalidInputException exception) when (asSingle && !IsSingle)
            {
                // Only tried as float32: a case without a float32 form was not computed in it.
                raised = exception.Message;
                return null;
            }
        }
    }
}
