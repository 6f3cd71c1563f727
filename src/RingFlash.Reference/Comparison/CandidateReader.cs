using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Dumps;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Comparison;

/// <summary>
/// Brings a dump to our names and axes. Nothing is guessed: a name that the map does not know is listed, two tensors
/// that claim one tap are listed and neither is used, and axes that are not those declared are listed with a reason.
/// </summary>
public sealed class CandidateReader
{
    private readonly ModelConfiguration configuration;
    private readonly ForwardInput input;
    private readonly CandidateLayout layout;

    /// <summary>Prepares.</summary>
    /// <param name="configuration">The reference's model.</param>
    /// <param name="input">What the reference is fed.</param>
    /// <param name="layout">What the user declares; null for nothing.</param>
    public CandidateReader(ModelConfiguration configuration, ForwardInput input, CandidateLayout? layout = null)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        ArgumentNullException.ThrowIfNull(input);
        this.configuration = configuration;
        this.input = input;
        this.layout = layout ?? new CandidateLayout();
    }

    /// <summary>Finds a shipped map by its name, or reads a user's.</summary>
    /// <param name="nameOrFile">The name, or the path of a file that ends in <c>.json</c>.</param>
    /// <returns>The map.</returns>
    /// <exception cref="InvalidInputException">There is none of that name, or the file breaks a rule.</exception>
    public static NameMap FindMap(string nameOrFile)
    {
        ArgumentException.ThrowIfNullOrEmpty(nameOrFile);
        return NameMap.Shipped.FirstOrDefault(map => map.Name == nameOrFile)
            ?? (nameOrFile.EndsWith(".json", StringComparison.OrdinalIgnoreCase)
                ? NameMapReader.ReadFile(nameOrFile)
                : throw new InvalidInputException(
                    "the map",
                    string.Empty,
                    $"must be one of {ShippedNames()} or a .json file; found \"{nameOrFile}\"")
                {
                    IsSetting = true,
                });
    }

    /// <summary>Reads a dump.</summary>
    /// <param name="dump">The dump; it must stay open as long as the candidate is read.</param>
    /// <param name="map">
    /// The map; null for the shipped map that knows strictly more of the names than any other. Maps that know equally
    /// many and read each of them alike count as one, and the first of them in the order of
    /// <see cref="NameMap.Shipped"/> is taken.
    /// </param>
    /// <returns>The candidate.</returns>
    /// <exception cref="InvalidInputException">
    /// No map is the best; the dump holds several steps and none was chosen; or every tensor of a known name has a
    /// batch or a number of tokens that is not the reference's.
    /// </exception>
    public Candidate Read(Dump dump, NameMap? map = null)
    {
        ArgumentNullException.ThrowIfNull(dump);
        List<string> notes = [.. dump.Notes];
        IReadOnlyList<DumpTensor> tensors = OfStep(dump, notes);
        map ??= ChooseMap(dump, tensors, notes);
        CandidateClaims claims = new(map, tensors, (configuration, input, layout), notes);
        HeldTensor held = new();
        Dictionary<string, CandidateTap> inputs = new(StringComparer.Ordinal);
        foreach ((string name, DumpTensor tensor) in claims.Inputs)
        {
            inputs[name] = new ViewTap(
                name, $"{tensor.Name} ({tensor.Place})", tensor.ElementType, tensor.Shape, new StoredView(tensor));
        }

        RowAlignment alignment = new(input, layout.Padding, MaskOf(inputs));
        foreach (string name in inputs.Keys.Where(name => name != "attention_mask").ToArray())
        {
            inputs[name] = Aligned((ViewTap)inputs[name], alignment, held);
        }

        TapAssembly assembly = new(configuration, input, alignment, held);
        Dictionary<string, CandidateTap> taps = new(StringComparer.Ordinal);
        List<string> misfits = [.. claims.Incomplete];
        foreach ((string name, TapAxes axes, TapAssembly.Sources sources) in claims.Taps)
        {
            if (assembly.Make(name, axes, sources, out string problem) is CandidateTap tap)
            {
                taps.Add(name, tap);
            }
            else
            {
                misfits.Add(problem);
            }
        }

        WeightAssembly weightAssembly = new(configuration, held);
        Dictionary<string, CandidateTap> weights = new(StringComparer.Ordinal);
        foreach ((Checkpoint.TensorInfo weight, TapAssembly.Sources sources, int? expert) in claims.Weights)
        {
            weights[weight.Name] = weightAssembly.Make(weight, sources, expert);
        }

        if (taps.Count == 0 && misfits.Count > 0)
        {
            string more = misfits.Count == 1 ? string.Empty : string.Create(
                CultureInfo.InvariantCulture, $" (and {misfits.Count - 1} more tensors do not fit)");
            throw new InvalidInputException(dump.Description, string.Empty, misfits[0] + more);
        }

        return new Candidate
        {
            Description = dump.Description,
            Taps = taps,
            Inputs = inputs,
            Weights = weights,
            Unmapped = claims.Unmapped,
            Doubles = claims.Doubles,
            Misfits = misfits,
            Notes = notes,
        };
    }

    private static string ShippedNames() => string.Join(", ", NameMap.Shipped.Select(map => map.Name));

    // A mask of other axes, such as the additive [b, 1, t, t] of Transformers, does not say what is padding.
    private long[]? MaskOf(Dictionary<string, CandidateTap> inputs) =>
        inputs.TryGetValue("attention_mask", out CandidateTap? mask)
        && mask.Shape.Count == 2 && mask.Shape[0] == input.Batch
        && mask.ElementType is not (Checkpoint.ElementType.Float32 or Checkpoint.ElementType.BFloat16
            or Checkpoint.ElementType.Float16 or Checkpoint.ElementType.Float64)
            ? mask.ReadInt64()
            : null;

    // Ids and positions as the reference has them, without padding, which may be anything; as they lie there when they
    // do not fit, so that whoever compares them can say so.
    private static ViewTap Aligned(ViewTap tap, RowAlignment alignment, HeldTensor held)
    {
        RowMatch match = tap.Shape.Count switch
        {
            2 => alignment.OfGrid(tap.Shape[0], tap.Shape[1], TokenChoice.All),
            1 => alignment.OfRows(tap.Shape[0], TokenChoice.All),
            _ => RowMatch.Misfit(string.Empty),
        };
        match = match.Problem is null ? alignment.WithoutPadding(match) : RowMatch.All;
        return match.Rows is null ? tap : tap with
        {
            View = new GatheredView(tap.View, held, match.Theirs!),
            Shape = [1, match.Rows.Count],
            Rows = match.Rows,
        };
    }

    private List<DumpTensor> OfStep(Dump dump, List<string> notes)
    {
        static int? StepOf(DumpTensor tensor) =>
            tensor.Attributes.TryGetValue("step", out string? text)
            && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int step)
                ? step
                : null;
        int[] steps = [.. dump.Tensors.Select(StepOf).OfType<int>().Distinct().Order()];
        if (layout.Step is null && steps.Length > 1)
        {
            throw new InvalidInputException(
                dump.Description,
                "step",
                $"the dump holds the steps {string.Join(", ", steps.Take(20))}: choose the one to compare")
            {
                IsSetting = true,
            };
        }

        if (layout.Step is not int wanted)
        {
            return [.. dump.Tensors];
        }

        List<DumpTensor> tensors =
            [.. dump.Tensors.Where(tensor => StepOf(tensor) is null || StepOf(tensor) == wanted)];
        if (!steps.Contains(wanted))
        {
            throw new InvalidInputException(
                dump.Description, "step", $"there is no step {wanted}; found {string.Join(", ", steps.Take(20))}")
            {
                IsSetting = true,
            };
        }

        notes.Add(string.Create(
            CultureInfo.InvariantCulture,
            $"step {wanted} of {steps.Length}; {dump.Tensors.Count - tensors.Count} tensors of other steps left out"));
        return tensors;
    }

    private NameMap ChooseMap(Dump dump, IReadOnlyList<DumpTensor> tensors, List<string> notes)
    {
        (NameMap Map, int Known)[] counts = [.. NameMap.Shipped
            .Select(map => (map, tensors.Count(tensor => map.Claims(tensor, configuration.LayerCount).Count > 0)))
            .OrderByDescending(entry => entry.Item2)];
        (NameMap best, int known) = counts[0];
        string table = string.Join(", ", counts.Select(entry => $"{entry.Map.Name} {entry.Known}"));
        if (known == 0)
        {
            notes.Add($"no shipped map knows any of the {tensors.Count} names");
            return best;
        }

        NameMap[] others = [.. counts.Skip(1)
            .Where(entry => entry.Known == known && !ReadAlike(best, entry.Map, tensors))
            .Select(entry => entry.Map)];
        if (others.Length > 0)
        {
            throw new InvalidInputException(
                dump.Description,
                "the map",
                $"several know equally many of the {tensors.Count} names and read them differently: choose one of "
                + $"{ShippedNames()} or a .json file ({table})")
            {
                IsSetting = true,
            };
        }

        string alike = counts.Count(entry => entry.Known == known) > 1
            ? ", as others do that read them alike"
            : string.Empty;
        notes.Add($"names read by the map {best.Name}, which knows {known} of {tensors.Count}{alike}: {table}");
        return best;
    }

    private bool ReadAlike(NameMap left, NameMap right, IReadOnlyList<DumpTensor> tensors) =>
        CandidateClaims.Meaning(left, tensors, configuration, input)
            .SequenceEqual(CandidateClaims.Meaning(right, tensors, configuration, input));
}
