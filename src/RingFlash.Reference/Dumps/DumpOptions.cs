namespace RingFlash.Reference.Dumps;

/// <summary>What a dump cannot say about itself.</summary>
public sealed record DumpOptions
{
    /// <summary>The vocabulary size of raw float32 logits without a header, llama.cpp's <c>.bin</c>.</summary>
    public int? VocabularySize { get; init; }
}
