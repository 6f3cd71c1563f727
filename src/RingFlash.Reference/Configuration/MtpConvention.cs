namespace RingFlash.Reference.Configuration;

/// <summary>
/// How <c>num_hidden_layers</c> counts the multi-token-prediction (MTP) layer. The two published model files disagree.
/// </summary>
public enum MtpConvention
{
    /// <summary>Not decided: from the tensor names where they are known, otherwise <see cref="LingV2"/>.</summary>
    Detect,

    /// <summary>
    /// The MTP layer comes after the <c>num_hidden_layers</c> main layers, as <c>model.layers.{num_hidden_layers}</c>.
    /// Ling-V2's code, the published converter and SGLang's loader.
    /// </summary>
    LingV2,

    /// <summary>
    /// The MTP layer is the last of the <c>num_hidden_layers</c>, so one main layer fewer is run. Ring-V2's code.
    /// </summary>
    RingV2,
}
