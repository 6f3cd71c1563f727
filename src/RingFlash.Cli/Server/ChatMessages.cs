using System;
using System.Buffers;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using System.Text.Json;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Tokenization;

namespace RingFlash.Cli.Server;

/// <summary>
/// Messages as clients of vLLM send them, brought into the one form that templates read. As in vLLM, the texts of a
/// list of parts are joined by line feeds, arguments of calls are the object that their text holds, and
/// <c>reasoning</c> is another name for <c>reasoning_content</c>.
/// </summary>
/// <remarks>Source: vllm-project/vllm@002032ee vllm/entrypoints/chat_utils.py.</remarks>
internal static class ChatMessages
{
    private const string Name = "messages";
    private const int DeepestMessages = 256; // the body has 64 levels, and the arguments in it have theirs

    /// <summary>Reads the messages.</summary>
    /// <param name="messages">The array.</param>
    /// <returns>The messages, at least one.</returns>
    /// <exception cref="InvalidInputException">A message breaks a rule.</exception>
    public static IReadOnlyList<ChatMessage> Read(JsonElement messages)
    {
        if (messages.ValueKind != JsonValueKind.Array || messages.GetArrayLength() == 0)
        {
            throw Refuse(Name, $"must be a list of at least one message; found {RequestFields.Found(messages)}");
        }

        ArrayBufferWriter<byte> buffer = new();
        using (Utf8JsonWriter json = new(buffer))
        {
            json.WriteStartArray();
            int index = 0;
            foreach (JsonElement message in messages.EnumerateArray())
            {
                WriteMessage(json, message, $"{Name}[{index++}]");
            }

            json.WriteEndArray();
        }

        using JsonDocument document = JsonDocument.Parse(
            buffer.WrittenMemory, new JsonDocumentOptions { MaxDepth = DeepestMessages });
        return ChatConversation.ReadMessages(document.RootElement, RequestFields.SourceName, $"$.{Name}");
    }

    private static void WriteMessage(Utf8JsonWriter json, JsonElement message, string path)
    {
        if (message.ValueKind != JsonValueKind.Object)
        {
            throw Refuse(path, $"must be an object; found {RequestFields.Found(message)}");
        }

        bool hasReasoning = message.TryGetProperty("reasoning", out JsonElement reasoning)
            && reasoning.ValueKind != JsonValueKind.Null;
        json.WriteStartObject();
        foreach (JsonProperty field in message.EnumerateObject())
        {
            switch (field.Name)
            {
                case "content" when field.Value.ValueKind == JsonValueKind.Array:
                    json.WriteString("content", JoinParts(field.Value, $"{path}.content"));
                    break;
                case "tool_calls" when field.Value.ValueKind == JsonValueKind.Array:
                    json.WritePropertyName("tool_calls");
                    WriteToolCalls(json, field.Value, $"{path}.tool_calls");
                    break;
                case "reasoning":
                case "reasoning_content" when hasReasoning:
                    break;
                default:
                    field.WriteTo(json);
                    break;
            }
        }

        if (hasReasoning)
        {
            json.WritePropertyName("reasoning_content");
            reasoning.WriteTo(json);
        }

        json.WriteEndObject();
    }

    private static string JoinParts(JsonElement parts, string path)
    {
        List<string> texts = [];
        foreach (JsonElement part in parts.EnumerateArray())
        {
            string name = $"{path}[{texts.Count}]";
            RequestFields fields = part.ValueKind == JsonValueKind.Object
                ? new RequestFields(part, name)
                : throw Refuse(name, $"must be an object; found {RequestFields.Found(part)}");
            string type = fields.Text("type") ?? "text";
            texts.Add(type == "text"
                ? fields.Text("text") ?? throw fields.Refuse("text", "is required")
                : throw fields.Refuse("type", $"must be \"text\", the model is one of text; found \"{type}\""));
        }

        return string.Join('\n', texts);
    }

    private static void WriteToolCalls(Utf8JsonWriter json, JsonElement calls, string path)
    {
        json.WriteStartArray();
        int index = 0;
        foreach (JsonElement call in calls.EnumerateArray())
        {
            string name = $"{path}[{index++}].function";
            if (call.ValueKind != JsonValueKind.Object
                || !call.TryGetProperty("function", out JsonElement function)
                || function.ValueKind != JsonValueKind.Object)
            {
                throw Refuse(name, $"must be an object; found {RequestFields.Found(call)}");
            }

            json.WriteStartObject();
            json.WriteStartObject("function");
            foreach (JsonProperty field in function.EnumerateObject())
            {
                if (field.NameEquals("arguments") && field.Value.ValueKind == JsonValueKind.String)
                {
                    json.WritePropertyName("arguments");
                    WriteArguments(json, field.Value.GetString()!, $"{name}.arguments");
                }
                else
                {
                    field.WriteTo(json);
                }
            }

            json.WriteEndObject();
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteArguments(Utf8JsonWriter json, string arguments, string path)
    {
        if (arguments.Length == 0)
        {
            json.WriteStartObject();
            json.WriteEndObject();
            return;
        }

        try
        {
            using JsonDocument document = Reference.Configuration.StrictJson.Parse(
                Encoding.UTF8.GetBytes(arguments), RequestFields.SourceName);
            document.RootElement.WriteTo(json);
        }
        catch (InvalidInputException exception)
        {
            throw Refuse(path, $"must be the text of a JSON object: {exception.Place}: {exception.Rule}");
        }
    }

    private static InvalidInputException Refuse(string path, string rule) =>
        new(RequestFields.SourceName, path, rule);
}
