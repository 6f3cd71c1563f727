using System.Linq;
using System.Text.Json;
using System.Threading.Tasks;
using Microsoft.AspNetCore.Http;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Tokenization;

namespace RingFlash.Cli.Server;

/// <summary><c>/tokenize</c> and <c>/detokenize</c> in vLLM's form.</summary>
/// <remarks>Source: vllm-project/vllm@030ea52 vllm/entrypoints/serve/tokenize/protocol.py.</remarks>
/// <param name="model">Whose tokenizer.</param>
/// <param name="settings">Its name, and whether what people wrote stays text.</param>
internal sealed class TokenizerEndpoints(ServedModel model, ServerSettings settings)
{
    /// <summary>Text or a chat to ids.</summary>
    /// <param name="http">The request.</param>
    /// <returns>The wait.</returns>
    public async Task Tokenize(HttpContext http)
    {
        using JsonDocument body = await RequestBody.Read(http).ConfigureAwait(false);
        RequestFields fields = new(body.RootElement);
        ModelField.Check(fields, settings);
        FieldRules.Check(fields);
        bool words = fields.Flag("return_token_strs");
        int[] ids = ReadIds(fields);
        await ResponseJson.Send(
            http.Response,
            StatusCodes.Status200OK,
            json =>
            {
                json.WriteStartObject();
                json.WriteNumber("count", ids.Length);
                json.WriteNumber("max_model_len", model.Engine.ContextLimit);
                json.WriteStartArray("tokens");
                foreach (int id in ids)
                {
                    json.WriteNumberValue(id);
                }

                json.WriteEndArray();
                if (words)
                {
                    json.WriteStartArray("token_strs");
                    foreach (int id in ids)
                    {
                        json.WriteStringValue(model.Tokenizer!.TokenText(id));
                    }

                    json.WriteEndArray();
                }
                else
                {
                    json.WriteNull("token_strs");
                }

                json.WriteEndObject();
            },
            http.RequestAborted).ConfigureAwait(false);
    }

    /// <summary>Ids to text.</summary>
    /// <param name="http">The request.</param>
    /// <returns>The wait.</returns>
    public async Task Detokenize(HttpContext http)
    {
        using JsonDocument body = await RequestBody.Read(http).ConfigureAwait(false);
        RequestFields fields = new(body.RootElement);
        ModelField.Check(fields, settings);
        ModelTokenizer tokenizer = Tokenizer(fields, "tokens");
        if (fields.Find("tokens") is null)
        {
            throw fields.Refuse("tokens", "is required");
        }

        int[] ids = [.. fields.Items("tokens").Select(item =>
        {
            int id = (int)fields.IntegerOf(item.Value, item.Name, 0, tokenizer.VocabularySize - 1);
            return tokenizer.Contains(id) ? id : throw fields.Refuse(item.Name, $"{id} is not in the vocabulary");
        })];
        string text = tokenizer.Decode(ids);
        await ResponseJson.Send(
            http.Response,
            StatusCodes.Status200OK,
            json =>
            {
                json.WriteStartObject();
                json.WriteString("prompt", text);
                json.WriteEndObject();
            },
            http.RequestAborted).ConfigureAwait(false);
    }

    private int[] ReadIds(RequestFields fields)
    {
        if (fields.Find("messages") is not null)
        {
            return [.. ChatReader.ReadPrompt(fields, model, settings).Ids];
        }

        string text = fields.Text("prompt") ?? throw fields.Refuse("prompt", "is required, or messages");
        return Tokenizer(fields, "prompt").Encode(text, specialTokens: !settings.PlainContent);
    }

    private ModelTokenizer Tokenizer(RequestFields fields, string field) =>
        model.Tokenizer ?? throw fields.Refuse(field, "this model has no tokenizer");
}
