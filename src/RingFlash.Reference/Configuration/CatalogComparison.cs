using System.Collections.Generic;

namespace RingFlash.Reference.Configuration;

/// <summary>How the tensors of a source differ from those of a model.</summary>
/// <param name="Missing">Names that the model needs and the source lacks.</param>
/// <param name="Wrong">A message for each tensor of a wrong shape or type.</param>
/// <param name="Extra">Names that the model does not use, sorted.</param>
public sealed record CatalogComparison(
    IReadOnlyList<string> Missing, IReadOnlyList<string> Wrong, IReadOnlyList<string> Extra);
