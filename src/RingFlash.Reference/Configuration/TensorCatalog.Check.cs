using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Configuration;

// Comparing a checkpoint with the catalogue.
public static partial class TensorCatalog
{
    private const int NamesInMessage = 5;

    /// <summary>Checks that a source holds every tensor of the model with the right shape and a usable type.</summary>
    /// <param name="configuration">The model.</param>
    /// <param name="source">The weights.</param>
    /// <returns>
    /// The names in the source that the model does not use, sorted: unknown ones and those of an MTP layer that the
    /// configuration does not have.
    /// </returns>
    /// <exception cref="InvalidInputException">A tensor is missing, or its shape or type is wrong.</exception>
    public static IReadOnlyList<string> Check(ModelConfiguration configuration, IWeightSource source)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        ArgumentNullException.ThrowIfNull(source);

        // Which matrices are FP8 is seen from the source, so the catalogue's own companions do not count here.
        CatalogTensor[] expected = [.. Entries(configuration).Where(entry => entry.ScaledName is null)];
        CheckPresence(configuration, source, expected);

        HashSet<string> used = new(StringComparer.Ordinal);
        foreach (CatalogTensor entry in expected)
        {
            _ = source.TryGetTensor(entry.Info.Name, out TensorInfo? found);
            used.Add(entry.Info.Name);
            CheckShape(source, found!, entry.Info.Shape, "the configuration");
            CheckType(source, entry, found!, used);
        }

        return Unused(source, used);
    }

    /// <summary>Says how a source differs from what the model needs, all of it at once.</summary>
    /// <param name="configuration">The model.</param>
    /// <param name="source">The weights.</param>
    /// <returns>The differences; <see cref="Check"/> refuses a source with missing or wrong ones.</returns>
    public static CatalogComparison Compare(ModelConfiguration configuration, IWeightSource source)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        ArgumentNullException.ThrowIfNull(source);
        HashSet<string> used = new(StringComparer.Ordinal);
        List<string> missing = [], wrong = [];
        foreach (CatalogTensor entry in Entries(configuration).Where(entry => entry.ScaledName is null))
        {
            used.Add(entry.Info.Name);
            if (!source.TryGetTensor(entry.Info.Name, out TensorInfo? found))
            {
                missing.Add(entry.Info.Name);
                continue;
            }

            try
            {
                CheckShape(source, found, entry.Info.Shape, "the configuration");
                CheckType(source, entry, found, used);
            }
            catch (InvalidInputException exception)
            {
                wrong.Add(exception.Message);
            }
        }

        return new CatalogComparison(missing, wrong, Unused(source, used));
    }

    private static string[] Unused(IWeightSource source, HashSet<string> used) =>
        [.. source.Tensors.Select(tensor => tensor.Name).Where(name => !used.Contains(name))
            .Order(StringComparer.Ordinal)];

    private static void CheckPresence(
        ModelConfiguration configuration, IWeightSource source, CatalogTensor[] expected)
    {
        CatalogTensor[] missing = [.. expected.Where(entry => !source.TryGetTensor(entry.Info.Name, out _))];
        if (missing.Length == 0)
        {
            return;
        }

        string names = string.Join(", ", missing.Take(NamesInMessage).Select(entry => entry.Info.Name))
            + (missing.Length > NamesInMessage ? ", …" : string.Empty);
        string hint = missing.All(entry => entry.Part == ModelPart.Mtp)
            ? $" (the MTP layer, which num_nextn_predict_layers {configuration.NextTokenPredictionLayerCount} asks for)"
            : string.Empty;
        throw new InvalidInputException(
            source.Description,
            missing[0].Info.Name,
            $"{missing.Length} of {expected.Length} required tensors are missing: {names}{hint}");
    }

    private static void CheckShape(
        IWeightSource source, TensorInfo found, IReadOnlyList<long> expected, string authority)
    {
        if (found.Shape.SequenceEqual(expected))
        {
            return;
        }

        bool transposed = expected.Count > 1 && found.Shape.SequenceEqual(expected.Reverse());
        throw new InvalidInputException(
            source.Description,
            found.Name,
            $"shape must be {TensorInfo.FormatShape(expected)} by {authority}; found {found.ShapeText}"
            + (transposed ? ": transposed" : string.Empty));
    }

    private static void CheckType(
        IWeightSource source, CatalogTensor entry, TensorInfo found, HashSet<string> used)
    {
        if (found.ElementType is ElementType.Float32 or ElementType.BFloat16 or ElementType.Float16)
        {
            return;
        }

        if (found.ElementType != ElementType.Float8E4M3 || !entry.IsLinear)
        {
            throw new InvalidInputException(
                source.Description,
                found.Name,
                $"element type must be F32, BF16 or F16{(entry.IsLinear ? " or F8_E4M3 with a scale" : string.Empty)}; "
                + $"found {found.ElementType}");
        }

        string scaleName = found.Name + ScaleSuffix;
        if (!source.TryGetTensor(scaleName, out TensorInfo? scale))
        {
            throw new InvalidInputException(
                source.Description, found.Name, $"is F8_E4M3 and needs its scales, {scaleName}, which is missing");
        }

        used.Add(scaleName);
        CheckShape(source, scale, ScaleShape(found.Shape[0], found.Shape[1]), $"128 x 128 blocks of {found.ShapeText}");
        if (scale.ElementType != ElementType.Float32)
        {
            throw new InvalidInputException(
                source.Description, scaleName, $"scales must be F32; found {scale.ElementType}");
        }
    }
}
