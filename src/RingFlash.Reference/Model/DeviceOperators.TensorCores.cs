using ILGPU;
using ILGPU.Runtime;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Model;

public sealed partial class DeviceOperators<TPrecision>
{
    /// <summary>Below this many rows the weights decide how long a product takes, not the arithmetic.</summary>
    private const int FewestRowsForTensorCores = 64;

    private MemoryBuffer1D<uint, Stride1D.Dense>? pieces;

    /// <summary>
    /// Whether projections and routed experts of many rows go to the tensor cores: fast, within a budget instead of the
    /// CPU's bits. The router is left out, because an expert is chosen or not.
    /// </summary>
    public bool TensorCores { get; init; }

    private HostTensor<float> FastProduct(HostTensor<float> x, WeightMatrix weight, float[] bias)
    {
        HostTensor<float> y = Result(x, weight.Outputs);
        DeviceWeight there = constants.Matrix(weight);
        if (!Operators.LinearProjection.HasTensorCores(there))
        {
            return Product<TPrecision>(x, weight, bias, y);
        }

        ArrayView<uint> scratch =
            Pieces(Operators.LinearProjection.TensorCoreScratch<TPrecision>(x.Rows, weight.Inputs));
        Operators.LinearProjection.LaunchTensorCores<TPrecision>(
            host, Read(x), there, constants.Vector(bias), scratch, Write(y));
        return y;
    }

    /// <summary>Room for activations in pieces, kept from product to product.</summary>
    private ArrayView<uint> Pieces(long length)
    {
        if (pieces is null || pieces.Length < length)
        {
            host.Synchronize(); // kernels may still read it
            pieces?.Dispose();
            pieces = host.Accelerator.Allocate1D<uint>(length);
        }

        return pieces.View.BaseView;
    }
}
