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

    /// <summary>A local header of a zip archive: <c>.npz</c>, or what <c>torch.save</c> writes.</summary>
    Zip,

    /// <summary>The first opcode of a pickle of protocol 2 or later: what <c>torch.save</c> wrote before 1.6.</summary>
    Pickle,

    /// <summary>The magic of a tar archive: the oldest form of <c>torch.save</c>.</summary>
    Tar,

    /// <summary>An opening brace: JSON.</summary>
    Json,
}
