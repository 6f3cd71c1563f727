namespace RingFlash.Reference.Configuration;

/// <summary>How rotary frequencies are stretched beyond the trained length.</summary>
public enum RotaryScalingKind
{
    /// <summary>Not at all: <c>rope_scaling</c> is null.</summary>
    Default,

    /// <summary>YaRN: slow frequencies are divided by the factor, fast ones kept, with a ramp between them.</summary>
    Yarn,
}
