// Red here: a mistake that people make in IcePop losses passes all properties or all golden cases, so a user's wrong
// loss
// would be called right.
using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Objective;
using RingFlash.Reference.Objective.Properties;
using Xunit;

namespace RingFlash.Reference.Tests.Objective.Properties;

public sealed class MutationProperties(ITestOutputHelper output)
{
    public static TheoryData<string> Names => [.. MutationTable.Mistakes.Keys];

    [Fact]
    public void WithoutAMistakeEveryPropertyHolds() =>
        Assert.All(
            ObjectivePropertySuite.Run(new SimpleObjective().Evaluate, 17, 300),
            report => Assert.True(report.Verdict != PropertyVerdict.Fail, report.Counterexample));

    [Theory]
    [MemberData(nameof(Names))]
    public void AtLeastOnePropertyAndOneCaseNoticeTheMistake(string name)
    {
        SimpleObjective wrong = MutationTable.Mistakes[name].Make();
        PropertyReport[] red =
        [
            .. ObjectivePropertySuite.Run(wrong.Evaluate, 17, 150)
                .Where(report => report.Verdict == PropertyVerdict.Fail),
        ];
        int[] cases = [.. IcePopCases.All.Where(file => wrong.Differences(file).Count > 0).Select(Number)];
        output.WriteLine($"{name}: {string.Join(' ', red.Select(report => report.Property.Number))}");
        output.WriteLine($"cases: {string.Join(' ', cases)}");
        foreach (PropertyReport report in red)
        {
            output.WriteLine(report.Counterexample!);
        }

        Assert.NotEmpty(red);
        Assert.NotEmpty(cases);
    }

    private static int Number(IcePopCaseFile file) => int.Parse(
        System.IO.Path.GetFileName(file.Path).AsSpan(5, 3), System.Globalization.CultureInfo.InvariantCulture);
}
