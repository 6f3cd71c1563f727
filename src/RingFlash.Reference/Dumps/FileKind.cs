namespace RingFlash.Reference.Dumps;

/// <summary>What the first bytes of a file claim it to be.</summary>
internal enum FileKind
{
    /// <summary>None of the kinds below.</summary>
    Unknown,

    /// <summary>A brace behind eight bytes of length.</summary>
    Safetensors,

    /// <summary>NumPy's magic.</summary>
    Numpy,
}
