using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Objective;

/// <remarks>
/// <para>A large case is a safetensors file: <c>logp_theta</c>, <c>logp_old</c>, <c>logp_infer</c>, with a KL term also
/// <c>logp_ref</c>, [rollouts, response], and <c>advantages</c>, [rollouts], of a floating-point type; <c>mask</c>,
/// [rollouts, response], of an integer type or BOOL, 0 or 1.</para>
/// <para><c>__metadata__</c> holds <c>alpha</c>, <c>beta</c>, <c>eps_low</c>, <c>eps_high</c> and, with a KL term,
/// <c>kl_coef</c> as decimal text, and may hold <c>case</c>, its name. Other tensors than these, and <c>rewards</c> and
/// <c>group</c>, which nobody reads, are refused: a misspelt name must not become a missing input.</para>
/// </remarks>
public sealed partial class IcePopCaseFile
{
    private static readonly string[] TensorNames =
        ["logp_theta", "logp_old", "logp_infer", "logp_ref", "mask", "advantages", "rewards", "group"];

    /// <summary>Reads a case of either format; the content tells which.</summary>
    /// <param name="path">The file.</param>
    /// <returns>The case.</returns>
    /// <exception cref="InvalidInputException">The file breaks a rule.</exception>
    /// <exception cref="EnvironmentException">The file is missing or cannot be read.</exception>
    public static IcePopCaseFile ReadAny(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        return IsSafetensors(path) ? ReadSafetensors(path) : Read(path);
    }

    /// <summary>Whether a file is safetensors, by name or content: its header has less than 4 GiB, so byte 7 is zero;
    /// JSON has no zero byte.</summary>
    internal static bool IsSafetensors(string path)
    {
        if (path.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase))
        {
            return true;
        }

        byte[] start = new byte[9];
        try
        {
            using FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
            int length = stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
            return length == start.Length && start[7] == 0 && start[8] == (byte)'{';
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new EnvironmentException(path, "cannot be read: " + exception.Message, exception);
        }
    }

    private static IcePopCaseFile ReadSafetensors(string path)
    {
        using SafetensorsFile file = SafetensorsFile.Open(path);
        InvalidInputException Refuse(string place, string rule) => new(path, place, rule);
        if (file.Tensors.FirstOrDefault(tensor => !TensorNames.Contains(tensor.Name)) is TensorInfo other)
        {
            throw Refuse(other.Name, $"no such input; known are {string.Join(", ", TensorNames)}");
        }

        TensorInfo Tensor(string name) =>
            file.TryGetTensor(name, out TensorInfo? tensor) ? tensor : throw Refuse(name, "required; no such tensor");
        IReadOnlyList<long> shape = Tensor("logp_theta").Shape;
        if (shape.Count != 2 || shape[0] > MaximumSide || shape[1] > MaximumSide || shape[0] * shape[1] > MaximumTokens)
        {
            throw Refuse(
                "logp_theta",
                $"must be [rollouts, response] of at most {MaximumTokens} tokens; "
                + $"found {TensorInfo.FormatShape(shape)}");
        }

        TensorInfo Shaped(string name, IReadOnlyList<long> expected) => Tensor(name) is TensorInfo tensor
            && tensor.Shape.SequenceEqual(expected)
            ? tensor
            : throw Refuse(
                name, $"must have the shape {TensorInfo.FormatShape(expected)}; found {Tensor(name).ShapeText}");
        double[] Matrix(string name) => file.ReadAllDouble(Shaped(name, shape));
        CaseJson json = new(path);
        RolloutBatch batch = Batched(json, () => new RolloutBatch(
            (int)shape[0],
            (int)shape[1],
            Matrix("logp_theta"),
            Matrix("logp_old"),
            Matrix("logp_infer"),
            file.ReadAllDouble(Shaped("advantages", [shape[0]])),
            Flags(file.ReadInt64(Shaped("mask", shape)), (int)shape[1], Refuse),
            file.TryGetTensor("logp_ref", out _) ? Matrix("logp_ref") : null));
        double Number(string key, double? absent) => !file.Metadata.TryGetValue(key, out string? text)
            ? absent ?? throw Refuse($"__metadata__.{key}", "required; no such key")
            : text is "inf"
            ? double.PositiveInfinity // Python's str(math.inf)
            : double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number)
            ? number
            : throw Refuse($"__metadata__.{key}", $"must be a decimal number; found {text}");
        return new IcePopCaseFile(path)
        {
            Name = file.Metadata.GetValueOrDefault("case") ?? System.IO.Path.GetFileNameWithoutExtension(path),
            Batch = batch,
            Options = CheckOptions(
                json,
                "__metadata__",
                "logp_ref",
                Number("alpha", null),
                Number("beta", null),
                Number("eps_low", null),
                Number("eps_high", null),
                Number("kl_coef", 0),
                batch),
        };
    }

    private static byte[] Flags(long[] values, int length, Func<string, string, InvalidInputException> refuse)
    {
        byte[] flags = new byte[values.Length];
        for (int index = 0; index < flags.Length; index++)
        {
            flags[index] = values[index] is 0 or 1
                ? (byte)values[index]
                : throw refuse($"mask[{index / length}][{index % length}]", $"must be 0 or 1; found {values[index]}");
        }

        return flags;
    }
}
