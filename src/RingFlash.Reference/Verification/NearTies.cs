using System;
using System.Linq;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Verification;

/// <summary>
/// Which tokens of a free run are no longer comparable because a near tie of the router went the other way: the token
/// itself at once, and from the next attention on every later token of its sequence, as well as those of its left
/// padding that see no key of their own and therefore, as published, attend to every key of the sequence.
/// </summary>
internal sealed class NearTies
{
    private readonly int batch;
    private readonly int tokens;
    private readonly bool[] behind;
    private readonly bool[] added;
    private readonly bool[] seesAll;

    /// <summary>Starts a pass without near ties.</summary>
    /// <param name="batch">Sequences.</param>
    /// <param name="tokens">Tokens per sequence.</param>
    /// <param name="attentionMask">[batch, tokens], 0 for padding; null for none.</param>
    public NearTies(int batch, int tokens, long[]? attentionMask)
    {
        this.batch = batch;
        this.tokens = tokens;
        behind = new bool[batch * tokens];
        added = new bool[batch * tokens];
        seesAll = new bool[batch * tokens];
        for (int token = 0; attentionMask is not null && token < seesAll.Length; token++)
        {
            seesAll[token] = attentionMask[token] == 0 && (token % tokens == 0 || seesAll[token - 1]);
        }
    }

    /// <summary>Whether there has been any.</summary>
    public bool Any => behind.Contains(true);

    /// <summary>Whether a token is behind a near tie.</summary>
    /// <param name="token">Row of batch · tokens.</param>
    /// <returns>Whether.</returns>
    public bool IsBehind(int token) => token >= 0 && behind[token];

    /// <summary>Notes that a token was routed otherwise.</summary>
    /// <param name="token">The token.</param>
    public void Add(int token) => behind[token] = added[token] = true;

    /// <summary>Spreads to the tokens that see one, as the attention of the next layer does.</summary>
    public void EnterLayer()
    {
        for (int sequence = 0; sequence < batch; sequence++)
        {
            bool reached = false;
            for (int token = sequence * tokens; token < (sequence + 1) * tokens; token++)
            {
                reached |= added[token];
                behind[token] |= reached;
            }

            for (int token = sequence * tokens; reached && token < (sequence + 1) * tokens; token++)
            {
                behind[token] |= seesAll[token];
            }
        }
    }

    /// <summary>The token of each element of a tensor.</summary>
    /// <param name="tensor">[batch, tokens, …], [batch · tokens, …], [batch, heads, tokens, …] or [1].</param>
    /// <returns>From flat index to token; −1 where there is none.</returns>
    public Func<int, int> TokenOf(HostTensor<float> tensor)
    {
        int count = tensor.Values.Length;
        if (tensor.Shape.Length == 4)
        {
            int width = tensor.Width, heads = tensor.Shape[1];
            return index => (index / (width * tokens * heads) * tokens) + (index / width % tokens);
        }

        int perToken = count / behind.Length;
        return count > 1 && perToken * behind.Length == count ? index => index / perToken : _ => -1;
    }
}
