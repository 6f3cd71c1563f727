namespace RingFlash.Reference.Configuration;

/// <summary>The part of the model a tensor belongs to. Everything of the MTP layer is <see cref="Mtp"/>.</summary>
public enum ModelPart
{
    /// <summary>The embedding table.</summary>
    Embedding,

    /// <summary>Fused projection, output projection, their biases, query and key norms.</summary>
    Attention,

    /// <summary>The two norms of every layer and the final one.</summary>
    Norms,

    /// <summary>The MLP of the leading dense layers.</summary>
    DenseMlp,

    /// <summary>The router's matrix and its expert bias.</summary>
    Router,

    /// <summary>The routed experts.</summary>
    RoutedExperts,

    /// <summary>The shared experts.</summary>
    SharedExperts,

    /// <summary>The LM head.</summary>
    LmHead,

    /// <summary>The multi-token-prediction layer.</summary>
    Mtp,
}
