// Shared by the model tests: left padded batches as Hugging Face's generate makes them. Tests no product code alone.
using System.Linq;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Model;

namespace RingFlash.Reference.Tests.Model;

internal static class PaddedInputs
{
    /// <summary>Left padding; positions are cumsum(mask) − 1, and 1 on the padding.</summary>
    public static ForwardInput Of(ModelConfiguration configuration, int[] lengths)
    {
        int tokens = lengths.Max();
        long[] ids = TinyModels.Ids(configuration, lengths.Length * tokens, 77);
        long[] mask = new long[ids.Length], positions = new long[ids.Length];
        for (int index = 0; index < ids.Length; index++)
        {
            int padding = tokens - lengths[index / tokens], t = index % tokens;
            mask[index] = t < padding ? 0 : 1;
            positions[index] = t < padding ? 1 : t - padding;
            ids[index] = t < padding ? configuration.PadTokenId!.Value : ids[index];
        }

        return new ForwardInput(ids, lengths.Length) { AttentionMask = mask, Positions = positions };
    }
}
