// Red here: advantages, divergences, counts or the relatives of IcePop break their laws.
using FsCheck;
using FsCheck.Xunit;

namespace RingFlash.Reference.Tests.Objective.Properties;

[Properties(Replay = NumberedProperties.Replay, MaxTest = NumberedProperties.Cases)]
public sealed class AdvantageAndRelativeProperties
{
    [Property]
    public void P39AVocabularyGivesTheOnPolicyExpectation(DoNotSize<ulong> seed) =>
        NumberedProperties.Hold("P39", seed);

    [Property]
    public void P40EqualRewardsAreWorthNothing(DoNotSize<ulong> seed) => NumberedProperties.Hold("P40", seed);

    [Property]
    public void P41OriginAndUnitOfRewardsDoNotMatter(DoNotSize<ulong> seed) => NumberedProperties.Hold("P41", seed);

    [Property]
    public void P42AdvantagesAddUpToZero(DoNotSize<ulong> seed) => NumberedProperties.Hold("P42", seed);

    [Property]
    public void P43BinaryRewardsHaveAClosedForm(DoNotSize<ulong> seed) => NumberedProperties.Hold("P43", seed);

    [Property]
    public void P44GroupsAreIsolated(DoNotSize<ulong> seed) => NumberedProperties.Hold("P44", seed);

    [Property]
    public void P45TheDivergenceTermStandsApart(DoNotSize<ulong> seed) => NumberedProperties.Hold("P45", seed);

    [Property]
    public void P46TheEstimatorsAreRelated(DoNotSize<ulong> seed) => NumberedProperties.Hold("P46", seed);

    [Property]
    public void P47CountsAddUp(DoNotSize<ulong> seed) => NumberedProperties.Hold("P47", seed);

    [Property]
    public void P48StatisticsRespectTheirInequalities(DoNotSize<ulong> seed) => NumberedProperties.Hold("P48", seed);

    [Property]
    public void P49ForOneTokenTheBandsAreOne(DoNotSize<ulong> seed) => NumberedProperties.Hold("P49", seed);

    [Property]
    public void P50ResponseBandsBehaveUnderRepetition(DoNotSize<ulong> seed) => NumberedProperties.Hold("P50", seed);

    [Property]
    public void P51TheMaskOverProbabilities(DoNotSize<ulong> seed) => NumberedProperties.Hold("P51", seed);

    [Property]
    public void P52TheReadingsAgreeOnPolicy(DoNotSize<ulong> seed) => NumberedProperties.Hold("P52", seed);

    [Property]
    public void P53TheBoundCompounds(DoNotSize<ulong> seed) => NumberedProperties.Hold("P53", seed);
}
