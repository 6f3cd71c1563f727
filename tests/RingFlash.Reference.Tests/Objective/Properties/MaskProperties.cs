// Red here: the mask keeps, drops or weighs tokens otherwise than the published operator does.
using FsCheck;
using FsCheck.Xunit;

namespace RingFlash.Reference.Tests.Objective.Properties;

[Properties(Replay = NumberedProperties.Replay, MaxTest = NumberedProperties.Cases)]
public sealed class MaskProperties
{
    [Property]
    public void P1AWeightIsZeroOrInTheBand(DoNotSize<ulong> seed) => NumberedProperties.Hold("P1", seed);

    [Property]
    public void P2InTheBandTheWeightIsTheRatio(DoNotSize<ulong> seed) => NumberedProperties.Hold("P2", seed);

    [Property]
    public void P3CalibratingTwiceIsCalibratingOnce(DoNotSize<ulong> seed) => NumberedProperties.Hold("P3", seed);

    [Property]
    public void P4TheEndsBelongToTheBand(DoNotSize<ulong> seed) => NumberedProperties.Hold("P4", seed);

    [Property]
    public void P5BandsNest(DoNotSize<ulong> seed) => NumberedProperties.Hold("P5", seed);

    [Property]
    public void P6TheOpenBandIsImportanceSampling(DoNotSize<ulong> seed) => NumberedProperties.Hold("P6", seed);

    [Property]
    public void P7TheDirectionIsTrainOverInfer(DoNotSize<ulong> seed) => NumberedProperties.Hold("P7", seed);

    [Property]
    public void P8InsideItIsTruncationAndAboveItIsNothing(DoNotSize<ulong> seed) => NumberedProperties.Hold("P8", seed);

    [Property]
    public void P36TheRatioDecidesAsItsLogarithm(DoNotSize<ulong> seed) => NumberedProperties.Hold("P36", seed);

    [Property]
    public void P37SinglePrecisionStaysWithinItsBound(DoNotSize<ulong> seed) => NumberedProperties.Hold("P37", seed);

    [Property]
    public void P54ItIsNotTheBinaryMask(DoNotSize<ulong> seed) => NumberedProperties.Hold("P54", seed);
}
