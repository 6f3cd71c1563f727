using System.Collections.Generic;
using ILGPU;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Model;

/// <content>The routed experts: exact, on quantised activations, by tensor cores.</content>
public sealed partial class DeviceOperators<TPrecision>
{
    private void PlainExperts(
        HostTensor<float> x,
        RouterDecision<float> decision,
        IEnumerable<DeviceExperts> batches,
        int intermediate,
        int expertCount,
        HostTensor<float> outputs)
    {
        int topK = decision.TopK, assignments = x.Rows * topK;
        Operators.RoutedExperts.ExpertRoom room = new(
            Write(Result<float>(assignments, intermediate)),
            Write(Result<float>(assignments, intermediate)),
            Write(Result<int>(assignments)),
            Write(Result<int>(assignments)),
            Write(Result<int>(expertCount + 1)));
        bool isFast = TensorCores && x.Rows >= FewestRowsForTensorCores;
        foreach (DeviceExperts batch in batches)
        {
            if (isFast && Operators.LinearProjection.HasTensorCores(batch.Gate))
            {
                ArrayView<uint> scratch = Pieces(
                    Operators.RoutedExperts.TensorCoreScratch<TPrecision>(x.Rows, topK, x.Width, intermediate));
                Operators.RoutedExperts.LaunchTensorCores<TPrecision>(
                    host, Read(x), Read(decision.Indices), topK, batch, room, scratch, Write(outputs));
            }
            else
            {
                Operators.RoutedExperts.Launch<TPrecision>(
                    host, Read(x), Read(decision.Indices), topK, batch, room, Write(outputs));
            }
        }
    }

    private void QuantisedExperts(
        HostTensor<float> x,
        RouterDecision<float> decision,
        IEnumerable<DeviceExperts> batches,
        int intermediate,
        HostTensor<float> outputs)
    {
        int topK = decision.TopK, assignments = x.Rows * topK;
        (int codes, int scales) =
            Operators.RoutedExperts.QuantisedRoom.Lengths(x.Rows, topK, x.Width, intermediate);
        Operators.RoutedExperts.QuantisedRoom room = new(
            Write(Result<float>(assignments, intermediate)),
            Write(Result<float>(assignments, intermediate)),
            Write(Result<float>(codes)),
            Write(Result<float>(scales)));
        foreach (DeviceExperts batch in batches)
        {
            Operators.RoutedExperts.LaunchQuantised<TPrecision>(
                host, Read(x), Read(decision.Indices), topK, batch, room, Write(outputs));
        }
    }
}
