// Red here means that diagnose does not find a mistake of its catalogue, or accuses a candidate of one that it lacks.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Diagnosis;
using Xunit;

namespace RingFlash.Reference.Tests.Diagnosis;

/// <summary>Every mistake over random models: found when made, not named when not made.</summary>
public sealed class FoundMistakes
{
    private static readonly DiagnosisOptions Quick = new()
    {
        PairTime = TimeSpan.Zero, ExclusionTime = TimeSpan.Zero,
    };

    public static TheoryData<string> Ids => [.. MistakeCatalogue.All.Select(mistake => mistake.Id)];

    public static TheoryData<string, string, bool> Sweeps => new()
    {
        { "boundaries", "all ways", false },
        { "boundaries", "all ways", true },
        { "blocks", "all ways", false },
        { "blocks", "all ways", true },
        { "layers", "all ways", false },
        { "layers", "all ways", true },
        { "logits", "first ways", false },
    };

    [Theory]
    [MemberData(nameof(Ids))]
    public void Is_found_in_a_float32_dump(string id)
    {
        Mistake mistake = MistakeCatalogue.Find(id)!.Mistake;
        Tally tally = new();
        ulong seed = (ulong)(100 + MistakeCatalogue.All.ToList().IndexOf(mistake));
        tally.Add(seed, false, "boundaries", mistake, mistake.Variants[0]);
        Assert.True(tally.Failures.Count == 0, string.Join("\n", tally.Failures));
    }

    /// <summary>
    /// The long sweep: several minutes. In bfloat16 and over sparse taps fewer mistakes show; those that do are named.
    /// </summary>
    [Theory]
    [Trait("Category", "Exhaustive")]
    [MemberData(nameof(Sweeps))]
    public void Every_way_is_found_over_many_models(string tapSet, string ways, bool isBFloat16)
    {
        Tally tally = new();
        ulong seed = 2000;
        foreach (Mistake mistake in MistakeCatalogue.All)
        {
            foreach (MistakeVariant way in mistake.Variants.Take(ways == "all ways" ? int.MaxValue : 1))
            {
                seed++;
                tally.Add(seed, isBFloat16, tapSet, mistake, way);
            }
        }

        TestContext.Current.TestOutputHelper?.WriteLine(tally.ToString());
        Assert.True(tally.Found > 100 || tapSet == "logits", tally.ToString());
        Assert.True(tally.Failures.Count <= tally.Found / 50, $"{tally}\n{string.Join("\n", tally.Failures)}");
    }

    internal sealed class Tally
    {
        public int Found { get; private set; }

        public int NotAlone { get; private set; }

        public int Invisible { get; private set; }

        public List<string> Failures { get; } = [];

        public void Add(ulong seed, bool isBFloat16, string tapSet, Mistake mistake, MistakeVariant way)
        {
            using MistakenDump dump = new(seed, isBFloat16, tapSet, (mistake, way));
            DiagnosisReport report = dump.Diagnose(Quick);
            if (report.Outcome is DiagnosisOutcome.NoMistake or DiagnosisOutcome.NotChecked)
            {
                Invisible++; // nothing is outside of the noise, and nobody was accused
                return;
            }

            NamedMistake[] named = [.. report.Findings.SelectMany(finding => finding.Mistakes)];
            NamedMistake[] alike = [.. report.Findings.SelectMany(finding => finding.NotToldApart.SelectMany(x => x))];
            if (named.Length == 1 && named[0].Mistake == mistake)
            {
                Found++;
            }
            else if (named.Concat(alike).Any(found => found.Mistake == mistake) && report.Findings.Count == 1)
            {
                NotAlone++;
            }
            else
            {
                Failures.Add($"{mistake.Id}:{way.Value}, seed {seed}, {tapSet}: {report.Headline}");
            }
        }

        public override string ToString() => string.Create(
            CultureInfo.InvariantCulture,
            $"{Found} found, {NotAlone} among others, {Invisible} not to be seen, {Failures.Count} missed");
    }
}
