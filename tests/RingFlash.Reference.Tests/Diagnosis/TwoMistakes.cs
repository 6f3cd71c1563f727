// Red here means that diagnose does not take two mistakes apart.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Diagnosis;
using Xunit;

namespace RingFlash.Reference.Tests.Diagnosis;

public sealed class TwoMistakes
{
    public static TheoryData<string, string> Pairs => new()
    {
        // In different blocks.
        { "rotary.interleaved", "router.factor" },
        { "norm.qk-missing", "experts.shared-missing" },
        { "attention.heads-tiled", "head.tied" },
        { "layout.embedding", "router.bias-in-weights" },
        { "norm.final-missing", "router.groups-missing" },

        // In one block.
        { "rotary.interleaved", "attention.heads-tiled" },
        { "norm.qk-missing", "layout.qkv-order" },
        { "experts.shared-missing", "experts.wrong-expert" },
        { "router.bias-in-weights", "router.group-score" },
    };

    [Theory]
    [MemberData(nameof(Pairs))]
    public void Are_both_named(string first, string second)
    {
        Mistake a = MistakeCatalogue.Find(first)!.Mistake, b = MistakeCatalogue.Find(second)!.Mistake;
        using MistakenDump dump = new(10, false, "boundaries", (a, a.Variants[0]), (b, b.Variants[0]));
        DiagnosisReport report = dump.Diagnose(new DiagnosisOptions { ExclusionTime = TimeSpan.Zero });
        Mistake[] named = [.. report.Findings.SelectMany(finding => finding.Mistakes).Select(way => way.Mistake)];
        Assert.True(named.Contains(a) && named.Contains(b), report.Headline);
        Assert.Equal(DiagnosisOutcome.Explained, report.Outcome);
    }

    /// <summary>Random pairs, minutes of them; some hide each other or equal a third mistake.</summary>
    [Theory]
    [Trait("Category", "Exhaustive")]
    [InlineData("boundaries", false, 150)]
    [InlineData("boundaries", true, 60)]
    public void Are_mostly_both_named_over_many_models(string tapSet, bool isBFloat16, int count)
    {
        Random random = new(20251125);
        Mistake[] pool = [.. MistakeCatalogue.All.Where(
            mistake => !mistake.IsPrecision && (mistake.Blocks & ModelBlocks.Layer) != 0)];
        int both = 0, one = 0, none = 0;
        List<string> lines = [];
        for (int index = 0; index < count; index++)
        {
            Mistake a = pool[random.Next(pool.Length)], b = pool[random.Next(pool.Length)];
            if (a == b)
            {
                continue;
            }

            using MistakenDump dump =
                new((ulong)(5000 + index), isBFloat16, tapSet, (a, a.Variants[0]), (b, b.Variants[0]));
            DiagnosisReport report = dump.Diagnose(new DiagnosisOptions
            {
                PairTime = TimeSpan.FromSeconds(10), ExclusionTime = TimeSpan.Zero,
            });
            Mistake[] named = [.. report.Findings
                .SelectMany(finding => finding.Mistakes.Concat(finding.NotToldApart.SelectMany(ways => ways)))
                .Select(way => way.Mistake)];
            int found = (named.Contains(a) ? 1 : 0) + (named.Contains(b) ? 1 : 0);
            both += found == 2 ? 1 : 0;
            one += found == 1 ? 1 : 0;
            none += found == 0 ? 1 : 0;
            if (found < 2)
            {
                lines.Add($"{found} of {a.Id} + {b.Id}: {report.Headline}");
            }
        }

        string tally = string.Create(CultureInfo.InvariantCulture, $"{both} both, {one} one, {none} none");
        TestContext.Current.TestOutputHelper?.WriteLine(tally + "\n" + string.Join("\n", lines));
        Assert.True(both > one + none, tally);
    }
}
