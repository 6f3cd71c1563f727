namespace RingFlash.Reference.Model;

/// <summary>What a forward pass is fed.</summary>
/// <param name="Ids">[batch, tokens], the new tokens.</param>
/// <param name="Batch">The number of sequences.</param>
public sealed record ForwardInput(long[] Ids, int Batch)
{
    /// <summary>New tokens per sequence.</summary>
    public int Tokens => Ids.Length / Batch;

    /// <summary>
    /// [batch, tokens], rotary positions; when null: past … past + tokens − 1 in every row, whatever the mask says, as
    /// published.
    /// </summary>
    public long[]? Positions { get; init; }

    /// <summary>[batch, past + tokens], 1 for real tokens and 0 for padding; null for no padding.</summary>
    public long[]? AttentionMask { get; init; }

    /// <summary>[batch, tokens], labels for the losses, −100 to ignore; null for no loss.</summary>
    public long[]? Labels { get; init; }

    /// <summary>Whether logits are wanted for the last position only.</summary>
    public bool LastLogitsOnly { get; init; }

    /// <summary>Whether the MTP layer runs, when the model has one.</summary>
    public bool RunMultiToken { get; init; } = true;
}

/// <summary>
/// What a forward pass returns. The tensors are the model's: they are valid until its next pass begins, which writes
/// over them. Copy what is kept longer. Those of a pass with a trace are the caller's for good.
/// </summary>
/// <typeparam name="T">What activations are held in.</typeparam>
/// <param name="HiddenStates">After the final norm, [batch, tokens, hidden].</param>
/// <param name="Logits">[batch, tokens or 1, vocabulary].</param>
/// <param name="MultiTokenLogits">The MTP head's logits, [batch, tokens, vocabulary]; null without it.</param>
/// <param name="Losses">The losses; null without labels.</param>
public readonly record struct ForwardResult<T>(
    Numerics.HostTensor<T> HiddenStates,
    Numerics.HostTensor<T> Logits,
    Numerics.HostTensor<T>? MultiTokenLogits,
    ForwardLosses? Losses)
    where T : unmanaged;

/// <summary>The training losses of a forward pass, in nats.</summary>
/// <param name="Total">Main + mtp_loss_scaling_factor · MultiToken.</param>
/// <param name="Main">Of the main head.</param>
/// <param name="MultiToken">Of the MTP head, unscaled; null without it.</param>
public sealed record ForwardLosses(double Total, double Main, double? MultiToken);
