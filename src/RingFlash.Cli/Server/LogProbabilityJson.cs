using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text;
using System.Text.Json;
using RingFlash.Reference.Generation;
using RingFlash.Reference.Tokenization;

namespace RingFlash.Cli.Server;

/// <summary>The three forms in which answers tell log-probabilities.</summary>
/// <remarks>
/// A number is the float32 of the engine, written as the float64 of the same value: both a client that reads float64
/// and one that reads float32 get the engine's bits. Minus infinity, for which JSON has no number, is vLLM's −9999.
/// Order and keys are those of vllm-project/vllm@030ea52 vllm/entrypoints/openai/completion/serving.py.
/// </remarks>
/// <param name="tokenizer">The tokenizer; null for none.</param>
/// <param name="tokensAsIds">Whether tokens are named <c>token_id:N</c>; so they are without a tokenizer.</param>
internal sealed class LogProbabilityJson(ModelTokenizer? tokenizer, bool tokensAsIds)
{
    private const double Least = -9999;

    /// <summary>Writes <c>logprobs</c> of a completion.</summary>
    /// <param name="json">Where to.</param>
    /// <param name="scores">The tokens.</param>
    /// <param name="most">The most likely ones to tell, −1 for all.</param>
    /// <param name="offset">Characters before the first token.</param>
    public void WriteCompletion(Utf8JsonWriter json, IReadOnlyList<NamedScore> scores, int most, int offset)
    {
        json.WriteStartObject("logprobs");
        json.WriteStartArray("text_offset");
        foreach (NamedScore score in scores)
        {
            json.WriteNumberValue(offset);
            offset += Name(score.Id).EnumerateRunes().Count();
        }

        json.WriteEndArray();
        json.WriteStartArray("token_logprobs");
        foreach (NamedScore score in scores)
        {
            WriteNumberOrNull(json, score.Score);
        }

        json.WriteEndArray();
        json.WriteStartArray("tokens");
        foreach (NamedScore score in scores)
        {
            json.WriteStringValue(Name(score.Id));
        }

        json.WriteEndArray();
        json.WriteStartArray("top_logprobs");
        foreach (NamedScore score in scores)
        {
            WriteTop(json, score.Score, most);
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>Writes <c>logprobs</c> of a chat.</summary>
    /// <param name="json">Where to.</param>
    /// <param name="scores">The tokens; each has a score.</param>
    public void WriteChat(Utf8JsonWriter json, IReadOnlyList<NamedScore> scores)
    {
        json.WriteStartObject("logprobs");
        json.WriteStartArray("content");
        foreach (TokenScore score in scores.Select(score => score.Score!))
        {
            json.WriteStartObject();
            WriteChatToken(json, score.Token);
            json.WriteStartArray("top_logprobs");
            foreach (ScoredToken token in score.Top)
            {
                json.WriteStartObject();
                WriteChatToken(json, token);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>Writes <c>prompt_logprobs</c>.</summary>
    /// <param name="json">Where to.</param>
    /// <param name="scores">The prompt's tokens; null when not asked for.</param>
    public void WritePrompt(Utf8JsonWriter json, IReadOnlyList<TokenScore?>? scores)
    {
        if (scores is null)
        {
            json.WriteNull("prompt_logprobs");
            return;
        }

        json.WriteStartArray("prompt_logprobs");
        foreach (TokenScore? score in scores)
        {
            if (score is null)
            {
                json.WriteNullValue();
                continue;
            }

            json.WriteStartObject();
            foreach (ScoredToken token in WithTop(score, -1))
            {
                json.WriteStartObject(token.Id.ToString(CultureInfo.InvariantCulture));
                json.WriteNumber("logprob", Number(token));
                json.WriteNumber("rank", token.Rank);
                json.WriteString("decoded_token", TokenWords.Text(tokenizer, token.Id));
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    // The token itself comes first, then the most likely ones without it: n of them, or n + 1.
    private static IEnumerable<ScoredToken> WithTop(TokenScore score, int most) =>
        (most < 0 ? score.Top : score.Top.Take(most)).Where(token => token.Id != score.Token.Id).Prepend(score.Token);

    private static double Number(ScoredToken token) => Math.Max(token.LogProbability, Least);

    private static void WriteNumberOrNull(Utf8JsonWriter json, TokenScore? score)
    {
        if (score is null)
        {
            json.WriteNullValue();
        }
        else
        {
            json.WriteNumberValue(Number(score.Token));
        }
    }

    // Keys are texts, and two tokens may have one text: the more likely one keeps it, but for the token itself.
    private void WriteTop(Utf8JsonWriter json, TokenScore? score, int most)
    {
        if (score is null)
        {
            json.WriteNullValue();
            return;
        }

        HashSet<string> written = [];
        json.WriteStartObject();
        foreach (ScoredToken token in WithTop(score, most))
        {
            if (written.Add(Name(token.Id)))
            {
                json.WriteNumber(Name(token.Id), Number(token));
            }
        }

        json.WriteEndObject();
    }

    private void WriteChatToken(Utf8JsonWriter json, ScoredToken token)
    {
        json.WriteString("token", Name(token.Id));
        json.WriteNumber("logprob", Number(token));
        if (TokenWords.Bytes(tokenizer, token.Id) is not ReadOnlyMemory<byte> bytes)
        {
            json.WriteNull("bytes");
            return;
        }

        json.WriteStartArray("bytes");
        foreach (byte one in bytes.Span)
        {
            json.WriteNumberValue(one);
        }

        json.WriteEndArray();
    }

    private string Name(int id) =>
        (tokensAsIds ? null : TokenWords.Text(tokenizer, id)) ?? TokenWords.ById(id);
}
