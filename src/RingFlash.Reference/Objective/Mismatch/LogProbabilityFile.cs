using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Objective.Mismatch;

/// <summary>Reads one engine's log-probabilities from safetensors or JSON; which of the two, the content
/// tells.</summary>
/// <remarks>
/// <para>safetensors: <c>log_probabilities</c> [rollouts, response] F32 or F64; optional <c>mask</c> of the same shape,
/// U8, I64 or
/// BOOL, only 0 and 1; optional <c>routed_experts</c> [rollouts, response, layers, topK] I64 or I32, −1 where not told.
/// Other
/// tensors are left alone and named in a warning.</para>
/// <para>JSON: <c>{"schema": 1, "log_probabilities": [[…]], "mask": [[…]], "routed_experts": [[[[…]]]]}</c>, the same
/// shapes and
/// rules; NaN and infinities are the strings "NaN", "Infinity", "-Infinity"; other keys are refused.</para>
/// <para>Rows are padded to one length: ragged rows are refused, because where the tokens of a short row belong would
/// be a
/// guess. What stands under a mask of 0 is never looked at.</para>
/// </remarks>
public static partial class LogProbabilityFile
{
    private const string LogProbabilitiesName = "log_probabilities";
    private const string MaskName = "mask";
    private const string RoutedExpertsName = "routed_experts";

    // JSON is parsed whole and costs several times its size in memory.
    private const long LargestJson = 256L << 20;

    /// <summary>Reads a file.</summary>
    /// <param name="path">The file; messages name it as given here.</param>
    /// <returns>Its content.</returns>
    /// <exception cref="InvalidInputException">The file breaks a rule.</exception>
    /// <exception cref="EnvironmentException">The file is missing or cannot be read.</exception>
    public static LogProbabilityData Read(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return IsJson(path) ? ReadJson(ReadBytes(path), path) : ReadSafetensors(path);
    }

    // A safetensors header has fewer than 2³² bytes, so bytes 4 to 7 are zero; JSON text holds no zero byte at all.
    private static bool IsJson(string path)
    {
        byte[] start = new byte[256];
        int length;
        try
        {
            using FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
            length = stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new EnvironmentException(path, "no such file", exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new EnvironmentException(path, $"cannot be opened as a file: {exception.Message}", exception);
        }

        ReadOnlySpan<byte> text = start.AsSpan(0, length);
        return !text.Contains((byte)0) && text.TrimStart(" \t\r\n"u8).StartsWith("{"u8);
    }

    private static byte[] ReadBytes(string path)
    {
        try
        {
            long length = new FileInfo(path).Length;
            if (length > LargestJson)
            {
                throw new InvalidInputException(
                    path, string.Empty, $"{length} bytes of JSON, the limit is {LargestJson}: use safetensors");
            }

            return File.ReadAllBytes(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new EnvironmentException(path, $"cannot be read: {exception.Message}", exception);
        }
    }

    private static LogProbabilityData ReadSafetensors(string path)
    {
        using SafetensorsFile file = SafetensorsFile.Open(path);
        TensorInfo tensor = file.RequireTensor(LogProbabilitiesName);
        RequireType(path, tensor, ElementType.Float32, ElementType.Float64);
        RequireRank(path, tensor, 2);
        double[] values = file.ReadAllDouble(tensor);
        bool[]? mask = null;
        if (file.TryGetTensor(MaskName, out TensorInfo? maskTensor))
        {
            RequireType(path, maskTensor, ElementType.UInt8, ElementType.Int64, ElementType.Boolean);
            RequireShape(path, maskTensor, tensor.Shape);
            mask = ToMask(path, file.ReadInt64(maskTensor), (int)tensor.Shape[1]);
        }

        RoutedExpertChoices? experts = null;
        if (file.TryGetTensor(RoutedExpertsName, out TensorInfo? expertTensor))
        {
            RequireType(path, expertTensor, ElementType.Int64, ElementType.Int32);
            RequireRank(path, expertTensor, 4);
            if (!expertTensor.Shape.Take(2).SequenceEqual(tensor.Shape) || expertTensor.Shape.Skip(2).Any(
                axis => axis < 1))
            {
                throw new InvalidInputException(
                    path,
                    Place(expertTensor.Name),
                    $"must be [{tensor.Shape[0]}, {tensor.Shape[1]}, layers, topK]; found {expertTensor.ShapeText}");
            }

            experts = ToExperts(
                path, file.ReadInt64(expertTensor), (int)expertTensor.Shape[2], (int)expertTensor.Shape[3]);
        }

        string[] known = [LogProbabilitiesName, MaskName, RoutedExpertsName];
        List<string> warnings =
        [
            .. file.Tensors.Select(other => other.Name).Where(name => !known.Contains(name))
                .Select(name => InvalidInputException.Escape($"{path}: tensor \"{name}\" is not used")),
        ];
        return new(path, (int)tensor.Shape[0], (int)tensor.Shape[1], values, mask, experts, warnings);
    }

    private static string Place(string name) => $"tensor \"{name}\"";

    private static void RequireType(string path, TensorInfo tensor, params ReadOnlySpan<ElementType> allowed)
    {
        if (!allowed.Contains(tensor.ElementType))
        {
            string names = string.Join(", ", allowed.ToArray().Select(type => type.HeaderName()));
            throw new InvalidInputException(
                path, Place(tensor.Name), $"must be one of {names}; found {tensor.ElementType.HeaderName()}");
        }
    }

    private static void RequireRank(string path, TensorInfo tensor, int rank)
    {
        if (tensor.Shape.Count != rank || tensor.Shape.Any(axis => axis > Array.MaxLength))
        {
            throw new InvalidInputException(
                path, Place(tensor.Name), $"must have {rank} axes that fit memory; found {tensor.ShapeText}");
        }
    }

    private static void RequireShape(string path, TensorInfo tensor, IReadOnlyList<long> shape)
    {
        if (!tensor.Shape.SequenceEqual(shape))
        {
            throw new InvalidInputException(
                path,
                Place(tensor.Name),
                $"shape {tensor.ShapeText} differs from {TensorInfo.FormatShape(shape)} of {LogProbabilitiesName}");
        }
    }

    private static bool[] ToMask(string path, long[] values, int responseLength)
    {
        int wrong = Array.FindIndex(values, value => value is not (0 or 1));
        return wrong < 0
            ? Array.ConvertAll(values, value => value == 1)
            : throw new InvalidInputException(
                path,
                $"{Place(MaskName)} rollout {wrong / responseLength}, token {wrong % responseLength}",
                $"must be 0 or 1; found {values[wrong]}");
    }

    private static RoutedExpertChoices ToExperts(string path, long[] values, int layers, int topK)
    {
        int wrong = Array.FindIndex(values, value => value < RoutedExpertChoices.Missing);
        return wrong < 0
            ? new(layers, topK, values)
            : throw new InvalidInputException(
                path, $"{Place(RoutedExpertsName)} element {wrong}", $"must be at least −1; found {values[wrong]}");
    }
}
