using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text.Json;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Tokenization;

/// <summary>A conversation as clients send it: <c>{"messages", "add_generation_prompt", "tools"}</c>.</summary>
/// <param name="Messages">The messages, oldest first.</param>
/// <param name="AddGenerationPrompt">Whether the text ends where the assistant's answer begins.</param>
/// <param name="Tools">Descriptions of functions; empty for none.</param>
public sealed record ChatConversation(
    IReadOnlyList<ChatMessage> Messages, bool AddGenerationPrompt, IReadOnlyList<JsonElement> Tools)
{
    /// <summary>Reads a conversation. Other keys are left to whoever else reads the object.</summary>
    /// <param name="element">
    /// An object with <c>messages</c>; <c>add_generation_prompt</c> (default false) and <c>tools</c> may lack or be
    /// null.
    /// </param>
    /// <param name="sourceName">What to call it in messages.</param>
    /// <param name="path">The JSON path of the object.</param>
    /// <returns>The conversation; it outlives the element's document.</returns>
    /// <exception cref="InvalidInputException">A rule is broken.</exception>
    public static ChatConversation Read(JsonElement element, string sourceName, string path = "$")
    {
        ChatReader reader = new(sourceName);
        if (element.ValueKind != JsonValueKind.Object)
        {
            throw reader.Refuse(path, "must be an object with \"messages\"");
        }

        JsonElement messages = reader.Required(element, "messages", path);
        JsonElement? generation = ChatReader.Find(element, "add_generation_prompt");
        return new ChatConversation(
            ReadMessages(messages, sourceName, $"{path}.messages"),
            generation?.ValueKind switch
            {
                null or JsonValueKind.False => false,
                JsonValueKind.True => true,
                _ => throw reader.Refuse($"{path}.add_generation_prompt", "must be true or false"),
            },
            ChatReader.Find(element, "tools") is JsonElement tools
                ? [.. reader.Items(tools, $"{path}.tools").Select(tool => tool.Item.Clone())]
                : []);
    }

    /// <summary>Reads an array of messages.</summary>
    /// <param name="element">The array.</param>
    /// <param name="sourceName">What to call it in messages.</param>
    /// <param name="path">Its JSON path.</param>
    /// <returns>The messages.</returns>
    /// <exception cref="InvalidInputException">A rule is broken.</exception>
    public static IReadOnlyList<ChatMessage> ReadMessages(JsonElement element, string sourceName, string path = "$")
    {
        ChatReader reader = new(sourceName);
        return [.. reader.Items(element, path).Select(item => reader.Message(item.Item, item.Path))];
    }

    private sealed class ChatReader(string sourceName)
    {
        public InvalidInputException Refuse(string path, string rule) => new(sourceName, path, rule);

        public static JsonElement? Find(JsonElement element, string key) =>
            element.TryGetProperty(key, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;

        public JsonElement Required(JsonElement element, string key, string path) =>
            Find(element, key) ?? throw Refuse($"{path}.{key}", "required");

        public IEnumerable<(JsonElement Item, string Path)> Items(JsonElement element, string path) =>
            element.ValueKind == JsonValueKind.Array
                ? element.EnumerateArray().Select((item, index) =>
                    (item, string.Create(CultureInfo.InvariantCulture, $"{path}[{index}]")))
                : throw Refuse(path, "must be an array");

        public ChatMessage Message(JsonElement element, string path)
        {
            if (element.ValueKind != JsonValueKind.Object)
            {
                throw Refuse(path, "must be an object with \"role\" and \"content\"");
            }

            return new ChatMessage(
                OptionalText(element, "role", path) ?? throw Refuse($"{path}.role", "required"),
                OptionalText(element, "content", path))
            {
                ReasoningContent = OptionalText(element, "reasoning_content", path),
                ToolCalls = Find(element, "tool_calls") is JsonElement calls
                    ? [.. Items(calls, $"{path}.tool_calls").Select(call => ToolCall(call.Item, call.Path))]
                    : [],
            };
        }

        private ChatToolCall ToolCall(JsonElement element, string path)
        {
            if (element.ValueKind != JsonValueKind.Object)
            {
                throw Refuse(path, "must be an object with \"function\"");
            }

            if (Find(element, "function") is JsonElement { ValueKind: JsonValueKind.Object } function)
            {
                element = function;
                path += ".function";
            }

            return new ChatToolCall(
                OptionalText(element, "name", path) ?? throw Refuse($"{path}.name", "required"),
                element.TryGetProperty("arguments", out JsonElement arguments)
                    ? arguments.Clone()
                    : throw Refuse($"{path}.arguments", "required"));
        }

        private string? OptionalText(JsonElement element, string key, string path) => Find(element, key) switch
        {
            null => null,
            { ValueKind: JsonValueKind.String } text => text.GetString(),
            { ValueKind: JsonValueKind.Array } => throw Refuse(
                $"{path}.{key}", "must be a string; a list of parts is not read by the published templates"),
            _ => throw Refuse($"{path}.{key}", "must be a string"),
        };
    }
}
