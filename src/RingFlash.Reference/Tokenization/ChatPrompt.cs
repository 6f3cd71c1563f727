using System.Collections.Generic;

namespace RingFlash.Reference.Tokenization;

/// <summary>A rendered conversation that remembers what people wrote.</summary>
/// <param name="Text">The whole text.</param>
/// <param name="Content">
/// Which parts of it are not the format's own words, in ascending order: positions and lengths in UTF-16 units.
/// </param>
public sealed record ChatPrompt(string Text, IReadOnlyList<(int Start, int Length)> Content);
