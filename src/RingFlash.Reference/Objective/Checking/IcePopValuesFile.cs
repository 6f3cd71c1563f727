using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Checkpoint;

namespace RingFlash.Reference.Objective.Checking;

/// <summary>Per-token arrays of results as safetensors; <see cref="IcePopActualFile"/> has the names.</summary>
public static class IcePopValuesFile
{
    /// <summary>Writes results, whole or not at all.</summary>
    /// <param name="path">The target.</param>
    /// <param name="results">Case and values; names of several cases must differ.</param>
    /// <param name="precision">float64 or float32; the numbers are stored as F64 either way.</param>
    public static void Save(
        string path, IReadOnlyList<(IcePopCaseFile Case, IcePopExpectation Values)> results, string precision)
    {
        ArgumentNullException.ThrowIfNull(results);
        Dictionary<string, string> metadata = new() { ["precision"] = precision };
        if (results.Count == 1)
        {
            metadata["case"] = results[0].Case.Name;
        }

        SafetensorsWriter.Write(
            path,
            [
                .. results.SelectMany(result => Tensors(
                    results.Count == 1 ? string.Empty : result.Case.Name + "/", result.Case.Batch, result.Values)),
            ],
            metadata);
    }

    private static IEnumerable<SafetensorsContent> Tensors(string prefix, RolloutBatch batch, IcePopExpectation values)
    {
        long[] shape = [batch.Rollouts, batch.ResponseLength];
        foreach ((string name, byte[]? flags) in new[] { ("keep", values.Keep), ("ppo_clipped", values.Clipped) })
        {
            if (flags is not null)
            {
                yield return SafetensorsContent.FromBytes(
                    new TensorInfo(prefix + name, ElementType.UInt8, shape), flags);
            }
        }

        IEnumerable<(string Name, double[]? Values)> matrices =
        [
            ("log_k", values.LogRatio),
            ("weight", values.Weight),
            ("r", values.PolicyRatio),
            ("per_token_loss", values.PerTokenLoss),
            .. values.Gradient.Select(entry => ("grad." + entry.Key, (double[]?)entry.Value)),
        ];
        foreach ((string name, double[]? matrix) in matrices)
        {
            if (matrix is not null)
            {
                yield return SafetensorsContent.FromDouble(prefix + name, shape, matrix);
            }
        }

        foreach ((string word, double loss) in values.Loss)
        {
            yield return SafetensorsContent.FromDouble($"{prefix}loss.{word}", [], new[] { loss });
        }
    }
}
