using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Objective.Checking;

public sealed partial class IcePopActualFile
{
    private static IcePopActualFile OpenSafetensors(string path)
    {
        SafetensorsFile file = SafetensorsFile.Open(path);
        bool? single = file.Metadata.GetValueOrDefault("precision") switch
        {
            null => null,
            "float64" => false,
            "float32" => true,
            string other => throw new InvalidInputException(
                path, "__metadata__.precision", $"must be \"float64\" or \"float32\"; found \"{other}\""),
        };
        IcePopActual[] results =
        [
            .. file.Tensors.GroupBy(tensor => CaseOf(tensor.Name)).OrderBy(group => group.Key, StringComparer.Ordinal)
                .Select(group => new IcePopActual(
                    group.Key ?? file.Metadata.GetValueOrDefault("case"),
                    single,
                    null,
                    [.. group.Select(tensor => QuantityOf(tensor.Name)).Where(name => !IsQuantity(name))],
                    expected => Read(file, path, [.. group], expected))),
        ];
        return results.Length < 2 || results.All(result => result.Name is not null)
            ? new IcePopActualFile(path, file, results)
            : throw new InvalidInputException(
                path, string.Empty, "with several cases every tensor's name begins with the case's and a slash");
    }

    private static string? CaseOf(string tensor) =>
        tensor.LastIndexOf('/') is int slash and >= 0 ? tensor[..slash] : null;

    private static string QuantityOf(string tensor) => tensor[(tensor.LastIndexOf('/') + 1)..];

    private static bool IsQuantity(string name) => name.IndexOf('.', StringComparison.Ordinal) is int dot and >= 0
        ? name[..dot] is "loss" or "grad"
        : name is "keep" or "weight" or "log_k" or "r" or "ppo_clipped" or "per_token_loss";

    private static IcePopExpectation Read(
        SafetensorsFile file, string path, IReadOnlyList<TensorInfo> tensors, IcePopCaseFile expected)
    {
        long[] shape = [expected.Batch.Rollouts, expected.Batch.ResponseLength];
        TensorInfo? Find(string name) => tensors.FirstOrDefault(tensor => QuantityOf(tensor.Name) == name);
        TensorInfo Shaped(TensorInfo tensor, params long[] wanted) => tensor.Shape.SequenceEqual(wanted)
            ? tensor
            : throw new InvalidInputException(
                path,
                tensor.Name,
                $"must have the shape {TensorInfo.FormatShape(wanted)}; found {tensor.ShapeText}");
        double[]? Matrix(string name) =>
            Find(name) is { } tensor ? file.ReadAllDouble(Shaped(tensor, shape)) : null;
        byte[]? Flags(string name) => Find(name) is not { } tensor ? null : Array.ConvertAll(
            file.ReadInt64(Shaped(tensor, shape)),
            flag => flag is 0 or 1
                ? (byte)flag
                : throw new InvalidInputException(path, tensor.Name, $"must hold 0 and 1; found {flag}"));
        IEnumerable<(string Word, TensorInfo Tensor)> Keyed(string prefix) =>
            tensors.Select(tensor => (Name: QuantityOf(tensor.Name), tensor))
                .Where(item => item.Name.StartsWith(prefix, StringComparison.Ordinal))
                .Select(item => (item.Name[prefix.Length..], item.tensor));
        return new IcePopExpectation
        {
            Keep = Flags("keep"),
            Weight = Matrix("weight"),
            LogRatio = Matrix("log_k"),
            PolicyRatio = Matrix("r"),
            Clipped = Flags("ppo_clipped"),
            PerTokenLoss = Matrix("per_token_loss"),
            Loss = Keyed("loss.").ToDictionary(item => item.Word, item => file.ReadAllDouble(Shaped(item.Tensor))[0]),
            Gradient = Keyed("grad.").ToDictionary(
                item => item.Word, item => file.ReadAllDouble(Shaped(item.Tensor, shape))),
        };
    }
}
