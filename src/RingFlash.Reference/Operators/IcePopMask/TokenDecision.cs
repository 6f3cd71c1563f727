namespace RingFlash.Reference.Operators;

/// <summary>What became of one token.</summary>
public enum TokenDecision : byte
{
    /// <summary>Not a response token: prompt, padding, tool output. Its values are never looked at.</summary>
    Padding = 0,

    /// <summary>A response token that trains.</summary>
    Kept = 1,

    /// <summary>Dropped: training probability too far below the inference probability.</summary>
    MaskedLow = 2,

    /// <summary>Dropped: training probability too far above the inference probability.</summary>
    MaskedHigh = 3,

    /// <summary>Dropped: the log-ratio, or the ratio, is not finite.</summary>
    NonFinite = 4,

    /// <summary>Dropped by a rule without a direction, or for the sake of its whole response.</summary>
    Dropped = 5,
}
