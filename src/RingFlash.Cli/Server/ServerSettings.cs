using System;
using System.Net;

namespace RingFlash.Cli.Server;

/// <summary>What a server is told when it starts.</summary>
internal sealed record ServerSettings
{
    /// <summary>The model's name in requests and answers.</summary>
    public required string ModelName { get; init; }

    /// <summary>Where to listen.</summary>
    public IPAddress Address { get; init; } = IPAddress.Loopback;

    /// <summary>The port; 0 takes a free one.</summary>
    public int Port { get; init; } = 8000;

    /// <summary>What clients must send as <c>Authorization: Bearer KEY</c>; null for no key.</summary>
    public string? ApiKey { get; init; }

    /// <summary>The most likely tokens that a request may ask for at each place; −1 for the whole vocabulary.</summary>
    public int MaxLogProbabilities { get; init; } = 20;

    /// <summary>Whether chats tell what lies in <c>&lt;think&gt;</c> apart from the answer.</summary>
    public bool SplitReasoning { get; init; }

    /// <summary>Whether what people wrote stays text even where it looks like an added token.</summary>
    public bool PlainContent { get; init; }

    /// <summary>Whether answers tell the routed experts unless a request says otherwise.</summary>
    public bool RoutedExperts { get; init; }

    /// <summary>The longest body, bytes.</summary>
    public int LongestBody { get; init; } = 4 << 20;

    /// <summary>From the end of a request's body to the end of its answer, waiting included.</summary>
    public TimeSpan AnswerTime { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>How long a client may take for its headers.</summary>
    public TimeSpan HeaderTime { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>How long a client may be slower with its body than 240 bytes per second.</summary>
    public TimeSpan SlowBodyTime { get; init; } = TimeSpan.FromSeconds(5);
}
