using RingFlash.Reference.Generation;
using RingFlash.Reference.Tokenization;

namespace RingFlash.Cli.Server;

/// <summary>A model that answers.</summary>
/// <param name="Engine">Who generates; it stays its owner's.</param>
/// <param name="ChatFormat">How conversations become text; null where chats are refused.</param>
/// <param name="ChatRefusal">Why chats are refused; empty where they are not.</param>
internal sealed record ServedModel(GenerationEngine Engine, ChatFormat? ChatFormat, string ChatRefusal = "")
{
    /// <summary>The tokenizer; null to deal in ids alone.</summary>
    public ModelTokenizer? Tokenizer => Engine.Tokenizer;

    /// <summary>Sequences that may run and wait at once.</summary>
    public int Capacity => Engine.Limits.RunningRequests + Engine.Limits.WaitingRequests;
}
