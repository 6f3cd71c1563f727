using System.Globalization;
using RingFlash.Reference.Tokenization;

namespace RingFlash.Cli.Reports;

/// <summary>A token id with its text beside it.</summary>
internal static class TokenLabel
{
    /// <summary>Writes it.</summary>
    /// <param name="id">The id.</param>
    /// <param name="tokenizer">Knows the text; null for the id alone.</param>
    /// <returns>E.g. <c>42 " the"</c>.</returns>
    public static string Of(long id, ModelTokenizer? tokenizer)
    {
        string number = id.ToString(CultureInfo.InvariantCulture);
        return tokenizer is not null && id >= 0 && id < tokenizer.VocabularySize && tokenizer.Contains((int)id)
            ? $"{number} \"{tokenizer.TokenText((int)id)}\""
            : number;
    }
}
