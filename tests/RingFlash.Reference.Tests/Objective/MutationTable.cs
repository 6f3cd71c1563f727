// Red here: a mistake that people make in IcePop losses passes all golden cases or all properties, so a user's wrong
// loss would be called right.
using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Objective;
using RingFlash.Reference.Objective.Properties;
using Xunit;

namespace RingFlash.Reference.Tests.Objective;

public sealed class MutationTable(ITestOutputHelper output)
{
    private const ulong Seed = 17;

    private const int CasesPerProperty = 200;

    /// <summary>Every mistake with the golden cases and the properties that must notice it.</summary>
    internal static readonly Dictionary<string, Row> Mistakes =
        new()
        {
            ["factor 1 instead of k"] = new(
                () => new Mistake.FactorOne(),
                [3, 5, 6, 8, 10, 12],
                "P2 P6 P8 P16 P17 P19 P24 P34 P39 P54"),
            ["inverse weight"] = new(
                () => new Mistake.InverseWeight(),
                [3, 5, 6, 8, 10, 12],
                "P1 P2 P3 P6 P8 P16 P17 P19 P21 P24 P33 P34 P39"),
            ["reversed direction"] = new(
                () => new Mistake.ReversedDirection(),
                [3, 5, 6, 8, 10, 12],
                "P2 P3 P4 P6 P7 P8 P11 P16 P17 P18 P19 P21 P24 P34 P35 P36 P39"),
            ["normalised by mean k"] = new(
                () => new Mistake.NormalisedByMean(),
                [3, 5, 6, 8, 10, 12],
                "P1 P2 P3 P5 P6 P7 P8 P13 P14 P16 P17 P19 P24 P26 P29 P39 P54"),
            ["k taken from current weights"] = new(
                () => new Mistake.CurrentNumerator(),
                [5, 19, 25, 27, 31, 32, 35, 43, 49],
                "P10 P11 P15 P16 P19 P20 P21 P34 P35"),
            ["open interval"] = new(() => new Mistake.OpenInterval(), [6, 8, 9], "P2 P4 P10 P16 P24 P34 P54"),
            ["upper bound only"] = new(
                () => new Mistake.UpperOnly(),
                [5, 8, 9, 21, 27, 29],
                "P1 P2 P4 P7 P10 P11 P17 P18 P19 P21 P22 P24 P36 P39"),
            ["lower bound only"] = new(
                () => new Mistake.LowerOnly(),
                [8, 9, 12, 19, 21, 29],
                "P1 P2 P3 P4 P7 P8 P11 P17 P18 P19 P20 P21 P22 P24 P27 P28 P30 P32 P33 P36 P39"),
            ["band 1/beta to beta"] = new(
                () => new Mistake.SymmetricBand(),
                [5, 8, 27, 29, 31],
                "P1 P2 P4 P7 P10 P11 P17 P18 P19 P21 P24 P36 P39"),
            ["TIS"] = new(
                () => new Mistake.Truncated(),
                [5, 8, 9, 12, 19, 21],
                "P1 P2 P4 P5 P7 P8 P10 P11 P17 P18 P19 P21 P22 P24 P28 P30 P36 P39"),
            ["two-sided clamp"] = new(
                () => new Mistake.TwoSidedClamp(),
                [5, 8, 9, 12, 19, 21],
                "P2 P4 P5 P7 P8 P10 P11 P17 P18 P19 P21 P22 P24 P26 P27 P28 P30 P34 P36 P39"),
            ["no mask"] = new(
                () => new Mistake.NoMask(),
                [5, 8, 9, 12, 19, 21],
                "P1 P2 P3 P4 P7 P8 P10 P11 P17 P18 P19 P20 P21 P22 P24 P27 P28 P30 P32 P33 P36 P39"),
            ["geometric mask"] = new(
                () => new Mistake.GeometricMask(),
                [5, 8, 9, 12, 19, 21],
                "P1 P2 P3 P4 P6 P7 P8 P11 P17 P19 P21 P28 P30 P32 P33 P34 P35 P36"),
            ["no policy clip"] = new(
                () => new Mistake.NoPolicyClip(),
                [5, 25, 27, 31, 32, 35, 43, 49],
                "P10 P18 P19 P23"),
            ["clip passes gradient"] = new(
                () => new Mistake.ClipPassesGradient(),
                [5, 25, 27, 31, 32, 35, 43, 49],
                "P10 P15 P18 P19"),
            ["same epsilon on both sides"] = new(() => new Mistake.SameEpsilon(), [27, 49], "P10 P18 P19"),
            ["clip regardless of sign"] = new(
                () => new Mistake.ClipRegardlessOfSign(),
                [5, 25, 27, 35, 43, 49],
                "P10 P18 P19 P20 P23"),
            ["gradient cut at exact equality"] = new(() => new Mistake.CutAtEquality(), [49], "P10 P17 P19"),
            ["dual clip on"] = new(() => new Mistake.DualClip(), [25, 27, 43], "P19 P20 P21"),
            ["kept-token denominators"] = new(
                () => new Mistake.KeptDenominators(),
                [5, 8, 9, 12, 14, 16],
                "P1 P2 P3 P4 P5 P6 P8 P10 P11 P17 P19 P20 P21 P25 P26 P28 P29 P30 P32 P33 P34 P39 P40"),
            ["padded-length denominators"] = new(
                () => new Mistake.PaddedDenominators(),
                [5, 19, 31, 32],
                "P10 P12 P17 P25 P26 P28 P29"),
            ["empty rows dropped from the count"] = new(
                () => new Mistake.EmptyRowsDropped(),
                [19],
                "P10 P17 P25 P26 P29 P32"),
            ["differentiating through k"] = new(
                () => new Mistake.ThroughRatio(),
                [3, 5, 10, 12, 25, 29, 40],
                "P1 P2 P3 P4 P6 P8 P10 P15 P16 P17 P18 P19 P24 P32 P34 P54"),
            ["non-finite treated as ratio 1"] = new(
                () => new Mistake.NonFiniteIsOne(),
                [14, 16, 18, 47],
                "P6 P11 P28 P30 P33 P34"),
            ["infinite k kept"] = new(() => new Mistake.InfiniteKept(), [47], "P6 P11 P28 P30 P34"),
        };

    /// <summary>A wrong loss for each property that none of the mistakes above breaks.</summary>
    private static readonly Dictionary<string, LossUnderTest> OtherMistakes = new()
    {
        // log-probabilities clamped before their difference is taken
        ["P9"] = new Mistake.ClampedLogProbabilities().Evaluate,
        ["P31"] = (batch, options) => batch.Denominators.Tokens > 0
            ? ObjectivePropertySuite.Reference(batch, options)
            : throw new DivideByZeroException(),
        ["P38"] = new Mistake.Stateful().Evaluate,
        ["P45"] = (batch, options) =>
        {
            LossOutcome right = ObjectivePropertySuite.Reference(batch, options);
            double divergence = batch.ReferenceLogProbabilities.ToArray().Sum() * options.KullbackLeiblerCoefficient;
            return right with { Loss = right.Loss.ToDictionary(loss => loss.Key, loss => loss.Value + divergence) };
        },
        ["P47"] = (batch, options) =>
        {
            LossOutcome right = ObjectivePropertySuite.Reference(batch, options);
            return right with { Metrics = right.Metrics! with { MaskedLow = right.Metrics.MaskedHigh } };
        },
        ["P48"] = (batch, options) =>
        {
            LossOutcome right = ObjectivePropertySuite.Reference(batch, options);
            return right with
            {
                Metrics = right.Metrics! with { EffectiveSampleFraction = 1 - right.Metrics.ClipFraction },
            };
        },
    };

    public static TheoryData<string> Names => [.. Mistakes.Keys];

    [Fact]
    public void WithoutAMistakeEveryCaseAgreesAndEveryPropertyHolds()
    {
        Assert.All(IcePopCases.All, file => Assert.Empty(new SimpleObjective().Differences(file)));
        Assert.All(
            ObjectivePropertySuite.Run(new SimpleObjective().Evaluate, Seed, CasesPerProperty),
            report => Assert.True(report.Verdict != PropertyVerdict.Fail, report.Counterexample));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void EveryListedCaseAndPropertyNoticesTheMistake(string name)
    {
        (Func<SimpleObjective> make, int[] listed) = Mistakes[name];
        PropertyReport[] red =
        [
            .. ObjectivePropertySuite.Run(make().Evaluate, Seed, CasesPerProperty)
                .Where(report => report.Verdict == PropertyVerdict.Fail),
        ];
        string[] killers = [.. red.Select(report => report.Property.Number)];
        int[] cases = [.. IcePopCases.All.Where(file => make().Differences(file).Count > 0).Select(Number)];
        output.WriteLine($"{name}: properties {string.Join(' ', killers)}; cases {string.Join(' ', cases)}");
        foreach (PropertyReport report in red)
        {
            output.WriteLine(report.Counterexample!);
        }

        Assert.NotEmpty(listed);
        Assert.Empty(listed.Except(cases));
        string[] expected = Mistakes[name].Properties.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        Assert.NotEmpty(expected);
        Assert.Empty(expected.Except(killers));
    }

    [Fact]
    public void EveryPropertyAboutALossCanFail()
    {
        string[] killers = [.. Mistakes.Values.SelectMany(mistake => mistake.Properties.Split(' ')).Distinct()];
        ObjectiveProperty[] all =
            [.. ObjectivePropertySuite.All.Where(property => property.Subject == PropertySubject.Loss)];
        Assert.Equal(
            OtherMistakes.Keys.Order(StringComparer.Ordinal),
            all.Select(property => property.Number).Except(killers).Order(StringComparer.Ordinal));
        foreach ((string number, LossUnderTest wrong) in OtherMistakes)
        {
            PropertyReport report = ObjectivePropertySuite.Run(
                all.Single(property => property.Number == number), wrong, Seed, CasesPerProperty);
            output.WriteLine($"{number}: {report.Counterexample}");
            Assert.Equal(PropertyVerdict.Fail, report.Verdict);
        }
    }

    private static int Number(IcePopCaseFile file) => int.Parse(
        System.IO.Path.GetFileName(file.Path).AsSpan(5, 3), System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>A mistake and who must notice it.</summary>
    internal sealed record Row(Func<SimpleObjective> Make, int[] Cases, string Properties)
    {
        public void Deconstruct(out Func<SimpleObjective> make, out int[] cases) => (make, cases) = (Make, Cases);
    }
}
