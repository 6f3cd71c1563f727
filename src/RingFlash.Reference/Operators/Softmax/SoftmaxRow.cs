using ILGPU;

namespace RingFlash.Reference.Operators;

/// <summary>One row of a softmax on a device.</summary>
/// <param name="Scores">Where its scores begin.</param>
/// <param name="Visible">Where the visibility of its keys begins; used where there is any.</param>
/// <param name="Weights">Where its weights begin.</param>
/// <param name="Keys">The keys of the row.</param>
/// <param name="SeesSomething">Whether any key is visible; if not, all weigh the same.</param>
internal readonly record struct SoftmaxRow(long Scores, long Visible, long Weights, int Keys, bool SeesSomething)
{
    /// <summary>Whether a key is visible.</summary>
    /// <param name="visible">1 where it is; or empty.</param>
    /// <param name="key">The key.</param>
    /// <returns>Whether it is.</returns>
    public bool Sees(ArrayView<byte> visible, int key) =>
        visible.Length == 0 || visible[Visible + key] != 0;

    /// <summary>exp(s − m); 0 for a key that is not visible, 1 for all where none is.</summary>
    /// <param name="scores">Where the scores lie.</param>
    /// <param name="visible">1 where a key is visible; or empty.</param>
    /// <param name="key">The key.</param>
    /// <param name="maximum">m.</param>
    /// <returns>The exponential.</returns>
    public float Exponential(ArrayView<float> scores, ArrayView<byte> visible, int key, float maximum)
    {
        if (!SeesSomething)
        {
            return 1f;
        }

        return Sees(visible, key) ? Numerics.Exponential.Exp(scores[Scores + key] - maximum) : 0f;
    }
}
