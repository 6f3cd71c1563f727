using System;
using System.Linq;
using RingFlash.Reference.Devices;

namespace RingFlash.Reference.Model;

public sealed partial class DeviceOperators<TPrecision>
{
    /// <inheritdoc/>
    public override void Prepare(ModelWeights weights) => Upload(weights);

    /// <summary>
    /// Brings every matrix to the device, or makes it there, before the first token; layers that find no room are
    /// brought as they are used.
    /// </summary>
    /// <param name="weights">The model's weights.</param>
    /// <returns>The bytes of matrices that stay.</returns>
    public long Upload(ModelWeights weights)
    {
        ArgumentNullException.ThrowIfNull(weights);
        constants.Matrix(weights.WordEmbeddings);
        foreach (Checkpoint.WeightMatrix matrix in weights.DenseProducts())
        {
            constants.Matrix(matrix);
        }

        foreach (SparseWeights layer in weights.SparseLayers())
        {
            DeviceExperts there = ExpertsOf(layer);
            if (there.HasRoomForAll)
            {
                foreach (DeviceExperts _ in there.Batches(Enumerable.Range(0, layer.ExpertCount), workers))
                {
                    // Being brought is all.
                }
            }
        }

        host.Synchronize();
        return constants.HeldBytes;
    }

    /// <summary>Gives the memory of weights back; the set is not used any more.</summary>
    public void Release()
    {
        host.Synchronize();
        constants.Dispose();
        pieces?.Dispose();
    }
}
