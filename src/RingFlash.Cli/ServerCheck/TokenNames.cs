using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Tokenization;

namespace RingFlash.Cli.ServerCheck;

/// <summary>Finds the token that a server names by <c>token_id:N</c>, by its id alone or by its text.</summary>
/// <param name="tokenizer">The tokenizer; null for none.</param>
/// <param name="vocabulary">Tokens of the model.</param>
internal sealed class TokenNames(ModelTokenizer? tokenizer, int vocabulary)
{
    private const string IdPrefix = "token_id:";
    private const int Several = -1;

    private readonly Lazy<Dictionary<string, int>> idsOfTexts = new(() => IdsOfTexts(tokenizer!));

    /// <summary>The token of a name.</summary>
    /// <param name="name">The name.</param>
    /// <param name="place">Where it stands.</param>
    /// <param name="oddities">Takes notes.</param>
    /// <returns>The id; null where it cannot be known.</returns>
    public int? Find(string name, string place, OddityList oddities)
    {
        if (name.StartsWith(IdPrefix, StringComparison.Ordinal))
        {
            return Parse(name[IdPrefix.Length..]);
        }

        if (tokenizer is null || !idsOfTexts.Value.TryGetValue(name, out int id))
        {
            oddities.Add(OddityKind.TextKeys, place, $"\"{name}\"");
            return null;
        }

        if (id == Several)
        {
            oddities.Add(OddityKind.TextKeysCollide, place, $"\"{name}\"");
            return null;
        }

        return id;
    }

    /// <summary>An id in digits.</summary>
    /// <param name="digits">The digits.</param>
    /// <returns>The id; null where it is none of the vocabulary.</returns>
    public int? Parse(string digits) =>
        int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out int id) && id < vocabulary
            ? id
            : null;

    /// <summary>A token for people: its id, and its text where there is one.</summary>
    /// <param name="id">The token.</param>
    /// <returns>E.g. <c>17 " the"</c>.</returns>
    public string Show(int id) => tokenizer is not null && tokenizer.Contains(id)
        ? string.Create(CultureInfo.InvariantCulture, $"{id} \"{tokenizer.TokenText(id)}\"")
        : id.ToString(CultureInfo.InvariantCulture);

    private static Dictionary<string, int> IdsOfTexts(ModelTokenizer tokenizer)
    {
        Dictionary<string, int> ids = [];
        foreach (int id in Enumerable.Range(0, tokenizer.VocabularySize).Where(tokenizer.Contains))
        {
            string text = tokenizer.TokenText(id);
            ids[text] = ids.ContainsKey(text) ? Several : id;
        }

        return ids;
    }
}
