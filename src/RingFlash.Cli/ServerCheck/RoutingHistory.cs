namespace RingFlash.Cli.ServerCheck;

/// <summary>
/// Which tokens of a sequence have seen a choice of other experts: the token itself from the next layer on, and from
/// the next attention on every later one.
/// </summary>
/// <param name="tokens">Tokens.</param>
internal sealed class RoutingHistory(int tokens)
{
    private readonly bool[] behind = new bool[tokens];
    private readonly bool[] now = new bool[tokens];

    /// <summary>Whether a token is behind one.</summary>
    /// <param name="token">The token.</param>
    /// <returns>The answer.</returns>
    public bool IsBehind(int token) => behind[token];

    /// <summary>Notes a token's choice in this layer.</summary>
    /// <param name="token">The token.</param>
    /// <param name="differs">Whether it differs.</param>
    public void Note(int token, bool differs) => now[token] |= differs;

    /// <summary>Spreads, as the next attention does.</summary>
    public void EndLayer()
    {
        bool reached = false;
        for (int token = 0; token < behind.Length; token++)
        {
            reached |= now[token];
            behind[token] |= reached;
        }
    }
}
