using System.Collections.Generic;
using System.Linq;
using System.Text.Json;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Tokenization;

// The template of the Ling-2.0 models. Names follow the template, so that the two can be read side by side.
public sealed partial class ChatFormat
{
    private const string ToolsHead =
        "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
        + "You are provided with function signatures within <tools></tools> XML tags:\n<tools>";

    private const string ToolsTail =
        "\n</tools>\n\nFor each function call, return a json object with function name and arguments within "
        + "<tool_call></tool_call> XML tags:\n<tool_call>\n"
        + "{\"name\": <function-name>, \"arguments\": <args-json-object>}\n</tool_call>\n";

    // String.trim of JavaScript: White_Space without U+0085, and U+FEFF.
    private static readonly char[] TrimmedCharacters =
    [
        '\t', '\n', '\v', '\f', '\r', ' ', '\u00A0', '\u1680', '\u2000', '\u2001', '\u2002', '\u2003', '\u2004',
        '\u2005', '\u2006', '\u2007', '\u2008', '\u2009', '\u200A', '\u2028', '\u2029', '\u202F', '\u205F', '\u3000',
        '\uFEFF',
    ];

    private static void RenderLing(
        ChatWriter writer,
        IReadOnlyList<ChatMessage> messages,
        bool addGenerationPrompt,
        IReadOnlyList<JsonElement> tools)
    {
        if (messages.Count == 0)
        {
            throw new InvalidInputException("messages", "$", "this format needs at least one message");
        }

        writer.Markup("<role>SYSTEM</role>");
        if (messages[0].Role == "system")
        {
            writer.Content(RequiredContent(messages, 0));
            writer.Markup("\n");
        }

        WriteTools(writer, tools);
        writer.Markup("detailed thinking off<|role_end|>");
        int lastQuery = LastQueryIndex(messages);
        for (int index = 0; index < messages.Count; index++)
        {
            switch (messages[index].Role)
            {
                case "user":
                    WriteTurn(writer, "<role>HUMAN</role>", RequiredContent(messages, index));
                    break;
                case "system" when index > 0:
                    WriteTurn(writer, "<role>SYSTEM</role>", RequiredContent(messages, index));
                    break;
                case "assistant":
                    WriteAssistant(writer, messages[index], showReasoning: index > lastQuery);
                    break;
                case "tool":
                    WriteToolResponse(
                        writer,
                        messages[index],
                        isFirst: index == 0 || messages[index - 1].Role != "tool",
                        isLast: index == messages.Count - 1 || messages[index + 1].Role != "tool");
                    break;
            }
        }

        if (addGenerationPrompt)
        {
            writer.Markup("<role>ASSISTANT</role>");
        }
    }

    private static void WriteTools(ChatWriter writer, IReadOnlyList<JsonElement> tools)
    {
        if (tools.Count == 0)
        {
            return;
        }

        writer.Markup(ToolsHead);
        foreach (JsonElement tool in tools)
        {
            writer.Markup("\n");
            writer.Content(TemplateJson.Write(tool));
        }

        writer.Markup(ToolsTail);
    }

    // The last question of a person; a tool's answer that comes as a user's message is none.
    private static int LastQueryIndex(IReadOnlyList<ChatMessage> messages)
    {
        for (int index = messages.Count - 1; index >= 0; index--)
        {
            if (messages[index] is { Role: "user", Content: string content }
                && !(content.StartsWith("<tool_response>", System.StringComparison.Ordinal)
                    && content.EndsWith("</tool_response>", System.StringComparison.Ordinal)))
            {
                return index;
            }
        }

        return messages.Count - 1;
    }

    private static void WriteTurn(ChatWriter writer, string role, string content)
    {
        writer.Markup(role);
        writer.Content(content);
        writer.Markup("<|role_end|>");
    }

    private static void WriteAssistant(ChatWriter writer, ChatMessage message, bool showReasoning)
    {
        string content = message.Content ?? string.Empty;
        string reasoning = message.ReasoningContent ?? string.Empty;
        if (message.ReasoningContent is null && content.Contains("</think>", System.StringComparison.Ordinal))
        {
            string[] parts = content.Split("</think>");
            reasoning = parts[0].TrimEnd(TrimmedCharacters).Split("<think>").Last().TrimStart(TrimmedCharacters);
            content = parts[^1].TrimStart(TrimmedCharacters);
        }

        writer.Markup("<role>ASSISTANT</role>");
        if (showReasoning && reasoning.Length > 0)
        {
            writer.Markup("\n<think>\n");
            writer.Content(reasoning.Trim(TrimmedCharacters));
            writer.Markup("\n</think>\n\n");
            writer.Content(content.TrimStart(TrimmedCharacters));
        }
        else
        {
            writer.Content(content);
        }

        for (int index = 0; index < message.ToolCalls.Count; index++)
        {
            if (index > 0 || content.Length > 0)
            {
                writer.Markup("\n");
            }

            ChatToolCall call = message.ToolCalls[index];
            writer.Markup("<tool_call>\n{\"name\": \"");
            writer.Content(call.Name);
            writer.Markup("\", \"arguments\": ");
            writer.Content(call.Arguments.ValueKind == JsonValueKind.String
                ? call.Arguments.GetString()!
                : TemplateJson.Write(call.Arguments));
            writer.Markup("}\n</tool_call>");
        }

        writer.Markup("<|role_end|>");
    }

    private static void WriteToolResponse(ChatWriter writer, ChatMessage message, bool isFirst, bool isLast)
    {
        writer.Markup(isFirst ? "<role>OBSERVATION</role>\n<tool_response>\n" : "\n<tool_response>\n");
        writer.Content(message.Content ?? string.Empty);
        writer.Markup(isLast ? "\n</tool_response><|role_end|>" : "\n</tool_response>");
    }
}
