using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Model;

/// <summary>
/// Sees every named intermediate result of a forward pass, in order. A pass without a trace pays nothing: names are not
/// even formed. A trace may overwrite what it is shown; the next operator then reads the overwritten values, which is
/// how each operator is checked on the reference's own input.
/// </summary>
/// <typeparam name="T">What activations are held in.</typeparam>
public abstract class ForwardTrace<T>
    where T : unmanaged
{
    /// <summary>Shows a result.</summary>
    /// <param name="name">The tap name of the golden format, e.g. <c>model.layers.0.attention.dense.output</c>.</param>
    /// <param name="tensor">The result.</param>
    public abstract void Tap(string name, HostTensor<T> tensor);

    /// <summary>Shows the router's chosen experts.</summary>
    /// <param name="name">The tap name.</param>
    /// <param name="decision">The decision; indices and weights may be overwritten.</param>
    public abstract void TapDecision(string name, RouterDecision<T> decision);

    /// <summary>Whether a result that costs extra to keep is wanted: the attention weights of a layer.</summary>
    /// <param name="name">The tap name.</param>
    /// <returns>Whether to compute it.</returns>
    public virtual bool Wants(string name) => true;
}
