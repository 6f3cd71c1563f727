// Red here: the loss or its gradient breaks a law that every correct IcePop loss obeys.
using FsCheck;
using FsCheck.Xunit;

namespace RingFlash.Reference.Tests.Objective.Properties;

[Properties(Replay = NumberedProperties.Replay, MaxTest = NumberedProperties.Cases)]
public sealed class LossProperties
{
    [Property]
    public void P9ACommonShiftChangesNothing(DoNotSize<ulong> seed) => NumberedProperties.Hold("P9", seed);

    [Property]
    public void P10EqualEnginesGiveGrpo(DoNotSize<ulong> seed) => NumberedProperties.Hold("P10", seed);

    [Property]
    public void P11MaskedTokensAreSilent(DoNotSize<ulong> seed) => NumberedProperties.Hold("P11", seed);

    [Property]
    public void P12PaddingIsSilent(DoNotSize<ulong> seed) => NumberedProperties.Hold("P12", seed);

    [Property]
    public void P13TheOrderOfResponsesDoesNotMatter(DoNotSize<ulong> seed) => NumberedProperties.Hold("P13", seed);

    [Property]
    public void P14TheOrderOfTokensDoesNotMatter(DoNotSize<ulong> seed) => NumberedProperties.Hold("P14", seed);

    [Property]
    public void P15TheGradientIsTheDerivative(DoNotSize<ulong> seed) => NumberedProperties.Hold("P15", seed);

    [Property]
    public void P16TheBandDoesNotMoveWithThePolicy(DoNotSize<ulong> seed) => NumberedProperties.Hold("P16", seed);

    [Property]
    public void P17ThereIsNoSecondFactor(DoNotSize<ulong> seed) => NumberedProperties.Hold("P17", seed);

    [Property]
    public void P18ALiveTokensGradientIsItsContribution(DoNotSize<ulong> seed) => NumberedProperties.Hold("P18", seed);

    [Property]
    public void P19EveryBranchOfTheClip(DoNotSize<ulong> seed) => NumberedProperties.Hold("P19", seed);

    [Property]
    public void P20TheClipIsPessimistic(DoNotSize<ulong> seed) => NumberedProperties.Hold("P20", seed);

    [Property]
    public void P21TheLossIsMonotoneInThePolicy(DoNotSize<ulong> seed) => NumberedProperties.Hold("P21", seed);

    [Property]
    public void P22TheLossIsHomogeneous(DoNotSize<ulong> seed) => NumberedProperties.Hold("P22", seed);

    [Property]
    public void P23WithoutAClipTheLossIsOdd(DoNotSize<ulong> seed) => NumberedProperties.Hold("P23", seed);

    [Property]
    public void P24AnEngineOffsetRescalesOrDrops(DoNotSize<ulong> seed) => NumberedProperties.Hold("P24", seed);

    [Property]
    public void P25SumsAndMeansDifferByCounts(DoNotSize<ulong> seed) => NumberedProperties.Hold("P25", seed);

    [Property]
    public void P26ResponsesAddUp(DoNotSize<ulong> seed) => NumberedProperties.Hold("P26", seed);

    [Property]
    public void P27ARepeatedBatchKeepsItsMeans(DoNotSize<ulong> seed) => NumberedProperties.Hold("P27", seed);

    [Property]
    public void P28MaskedTokensStayInTheDenominators(DoNotSize<ulong> seed) => NumberedProperties.Hold("P28", seed);

    [Property]
    public void P29MicroBatchesAddUp(DoNotSize<ulong> seed) => NumberedProperties.Hold("P29", seed);

    [Property]
    public void P30ABatchOutOfBandIsZero(DoNotSize<ulong> seed) => NumberedProperties.Hold("P30", seed);

    [Property]
    public void P31ABatchOfNothingIsZero(DoNotSize<ulong> seed) => NumberedProperties.Hold("P31", seed);

    [Property]
    public void P32LossAndGradientAreBounded(DoNotSize<ulong> seed) => NumberedProperties.Hold("P32", seed);

    [Property]
    public void P33FiniteInputsGiveFiniteResults(DoNotSize<ulong> seed) => NumberedProperties.Hold("P33", seed);

    [Property]
    public void P34ATokenThatIsNotFiniteIsDropped(DoNotSize<ulong> seed) => NumberedProperties.Hold("P34", seed);

    [Property]
    public void P35ABrokenPolicyIsNotSwallowed(DoNotSize<ulong> seed) => NumberedProperties.Hold("P35", seed);

    [Property]
    public void P38CallsArePure(DoNotSize<ulong> seed) => NumberedProperties.Hold("P38", seed);
}
