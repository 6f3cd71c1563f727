using System.Globalization;
using RingFlash.Cli.Commands;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Tokenization;

namespace RingFlash.Cli.Reports;

/// <summary>What a folder has for turning text into ids.</summary>
/// <param name="Tokenizer">What its tokenizer is, or why it is not read.</param>
/// <param name="TokenizerRead">Whether it is read.</param>
/// <param name="Format">The chat format; null when there is none that is known.</param>
/// <param name="FormatFault">Why there is none.</param>
internal sealed record TextFiles(string Tokenizer, bool TokenizerRead, ChatFormat? Format, string? FormatFault)
{
    /// <summary>Looks at a checkpoint folder.</summary>
    /// <param name="model">The model.</param>
    /// <returns>What is there.</returns>
    public static TextFiles Look(ModelName model)
    {
        string folder = ((CheckpointFolder)model.Weights).Description;
        string tokenizer;
        bool read = false;
        try
        {
            ModelTokenizer found = ModelTokenizer.Load(folder);
            found.EnsureFits(model.Configuration.VocabularySize);
            string published = found.PublishedName is string name ? $", the published file of {name}" : string.Empty;
            tokenizer = string.Create(
                CultureInfo.InvariantCulture,
                $"{NumberText.Count(found.TokenCount)} tokens, {found.AddedTokenCount} of them added, ids below "
                + $"{NumberText.Count(found.VocabularySize)}{published}");
            read = true;
        }
        catch (System.Exception exception) when (exception is InvalidInputException or EnvironmentException)
        {
            tokenizer = exception.Message;
        }

        try
        {
            return new TextFiles(tokenizer, read, ChatFormat.ForFolder(folder), null);
        }
        catch (InvalidInputException exception)
        {
            return new TextFiles(tokenizer, read, null, exception.Message);
        }
    }
}
