using System.Collections.Generic;
using System.Text.Json;

namespace RingFlash.Reference.Tokenization;

/// <summary>A message of a conversation: what the published templates read of it.</summary>
/// <param name="Role">E.g. <c>user</c>.</param>
/// <param name="Content">The text; null where there is none, as beside tool calls.</param>
public sealed record ChatMessage(string Role, string? Content)
{
    /// <summary>The reasoning of an assistant, where a client keeps it apart from the content.</summary>
    public string? ReasoningContent { get; init; }

    /// <summary>The calls of an assistant.</summary>
    public IReadOnlyList<ChatToolCall> ToolCalls { get; init; } = [];
}

/// <summary>A call of a tool.</summary>
/// <param name="Name">The function.</param>
/// <param name="Arguments">A JSON string is taken as it is, anything else is written as JSON.</param>
public sealed record ChatToolCall(string Name, JsonElement Arguments);
