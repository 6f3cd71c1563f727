using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Configuration;

namespace RingFlash.Cli.ServerCheck;

/// <summary>
/// A server's near ties, for our model to follow: with the same experts on both sides numbers can be compared that
/// otherwise jump. A set that the noise does not explain is not followed; it is wrong.
/// </summary>
/// <param name="Served">[sequences], the server's experts.</param>
/// <param name="Noise">[layers], the noise of the scores; null where there is no router.</param>
internal sealed record RoutingReplay(IReadOnlyList<ServedExperts> Served, IReadOnlyList<double?> Noise)
{
    /// <summary>The server's set, where it is to be followed.</summary>
    /// <param name="configuration">The model.</param>
    /// <param name="sequence">The sequence.</param>
    /// <param name="token">The token.</param>
    /// <param name="layer">The layer.</param>
    /// <param name="scores">[experts], our scores.</param>
    /// <param name="bias">[experts].</param>
    /// <returns>The set, best first by our scores; null to keep ours.</returns>
    public int[]? Choice(
        ModelConfiguration configuration, int sequence, int token, int layer, float[] scores, float[] bias)
    {
        if (sequence >= Served.Count || token >= Served[sequence].Tokens)
        {
            return null;
        }

        ServedExperts served = Served[sequence];
        HashSet<int> set = [.. served.Of(token, layer - (configuration.LayerCount - served.Layers))];
        return Noise[layer] is double noise && RouterNearTie.Explains(configuration, scores, bias, set, noise)
            ? [.. set.OrderByDescending(expert => scores[expert] + bias[expert])]
            : null;
    }
}
