namespace RingFlash.Reference.Generation;

/// <summary>What an engine takes on at once.</summary>
public sealed record GenerationLimits
{
    /// <summary>Sequences that are computed together.</summary>
    public int RunningRequests { get; init; } = 8;

    /// <summary>Sequences that may wait for that; more are refused.</summary>
    public int WaitingRequests { get; init; } = 4;

    /// <summary>Prompt tokens in one pass, of all sequences together; decoded tokens come on top.</summary>
    public int PromptTokensPerPass { get; init; } = 256;

    /// <summary>
    /// The most tokens of a sequence, prompt and output together; null for <see cref="ContextLength.Of"/> the model.
    /// </summary>
    public int? ContextTokens { get; init; }

    /// <summary>
    /// The most tokens that all running sequences may come to hold in their caches; a request waits until its worst
    /// case fits. Null for no bound.
    /// </summary>
    public long? CacheTokens { get; init; }
}
