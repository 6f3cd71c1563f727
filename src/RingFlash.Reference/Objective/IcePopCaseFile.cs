using System;
using System.Collections.Generic;
using System.IO;
using System.Text.Json;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Objective;

/// <summary>
/// A loss case in the JSON schema of golden/icepop: configuration, inputs and, where given, expected values. Hostile
/// until checked: strict JSON, no duplicate keys, capped size, shapes compared before anything is built.
/// </summary>
public sealed partial class IcePopCaseFile
{
    /// <summary>The largest file that is read.</summary>
    public const long MaximumBytes = 256L * 1024 * 1024;

    /// <summary>The most tokens, padding included, that a case may have.</summary>
    public const long MaximumTokens = 16L * 1024 * 1024;

    private const int MaximumSide = 1 << 24;

    private IcePopCaseFile(string path)
    {
        Path = path;
    }

    /// <summary>The file as the user named it.</summary>
    public string Path { get; }

    /// <summary>The case's name; the file's name where it has none.</summary>
    public string Name { get; private init; } = string.Empty;

    /// <summary>The case's number, or null.</summary>
    public int? Id { get; private init; }

    /// <summary>The inputs.</summary>
    public RolloutBatch Batch { get; private init; } = null!;

    /// <summary>Positions of each row before its padding, or null where the file does not say.</summary>
    public IReadOnlyList<int>? Lengths { get; private init; }

    /// <summary>The published options with the case's band, clip widths and KL coefficient.</summary>
    public PolicyObjectiveOptions Options { get; private init; } = PolicyObjectiveOptions.Default;

    /// <summary>Rewards per response, or null.</summary>
    public double[]? Rewards { get; private init; }

    /// <summary>Whether another rule at a band's end may legitimately decide otherwise.</summary>
    public bool BoundarySensitive { get; private init; }

    /// <summary>The words that describe the case.</summary>
    public IReadOnlyList<string> Tags { get; private init; } = [];

    /// <summary>Expected float64 values, or null.</summary>
    public IcePopExpectation? Reference { get; private init; }

    /// <summary>Expected float32 values, or null.</summary>
    public IcePopExpectation? SingleReference { get; private init; }

    /// <summary>Reads and checks a file.</summary>
    /// <param name="path">The file.</param>
    /// <returns>The case.</returns>
    /// <exception cref="InvalidInputException">The file breaks a rule.</exception>
    public static IcePopCaseFile Read(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        byte[] bytes;
        try
        {
            FileInfo file = new(path);
            if (file.Exists && file.Length > MaximumBytes)
            {
                throw new InvalidInputException(
                    path, string.Empty, $"a case file has at most {MaximumBytes} bytes; this one has {file.Length}");
            }

            bytes = File.ReadAllBytes(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new InvalidInputException(path, string.Empty, "cannot be read: " + exception.Message, exception);
        }

        return Parse(bytes, path);
    }

    /// <summary>Checks a document.</summary>
    /// <param name="bytes">UTF-8 JSON.</param>
    /// <param name="sourceName">Its name for messages.</param>
    /// <returns>The case.</returns>
    /// <exception cref="InvalidInputException">The document breaks a rule.</exception>
    public static IcePopCaseFile Parse(ReadOnlyMemory<byte> bytes, string sourceName)
    {
        using JsonDocument document = StrictJson.Parse(bytes, sourceName);
        CaseJson json = new(sourceName);
        JsonElement root = document.RootElement;
        if (json.Number(root, "$", "schema") != 1)
        {
            throw json.Refuse("$.schema", "must be 1");
        }

        JsonElement shape = json.Get(root, "$", "shape", JsonValueKind.Array);
        if (shape.GetArrayLength() != 2)
        {
            throw json.Refuse("$.shape", "must be [rollouts, response length]");
        }

        int rollouts = json.Integer(shape[0], "$.shape[0]", MaximumSide);
        int length = json.Integer(shape[1], "$.shape[1]", MaximumSide);
        if ((long)rollouts * length > MaximumTokens)
        {
            throw json.Refuse("$.shape", $"a case has at most {MaximumTokens} tokens");
        }

        // Every row and every token takes at least a byte, so a small file cannot make us allocate much.
        if (Math.Max(rollouts, (long)rollouts * length) > bytes.Length)
        {
            throw json.Refuse("$.shape", "promises more tokens than the file has bytes");
        }

        JsonElement inputs = json.Get(root, "$", "inputs", JsonValueKind.Object);
        const string Place = "$.inputs";
        double[] Matrix(string key) => json.Matrix(inputs, Place, key, rollouts, length);
        RolloutBatch batch = Batched(json, () => new RolloutBatch(
            rollouts,
            length,
            Matrix("logp_theta"),
            Matrix("logp_old"),
            Matrix("logp_infer"),
            json.Vector(inputs, Place, "advantages", rollouts),
            json.Flags(inputs, Place, "mask", rollouts, length),
            json.Has(inputs, "logp_ref") ? Matrix("logp_ref") : null,
            json.Has(inputs, "group") ? json.Integers(inputs, Place, "group", rollouts) : null));
        return new IcePopCaseFile(sourceName)
        {
            Name = json.Text(root, "$", "case") ?? System.IO.Path.GetFileNameWithoutExtension(sourceName),
            Id = json.Has(root, "id") ? json.Integer(root.GetProperty("id"), "$.id", int.MaxValue) : null,
            Batch = batch,
            Lengths = ReadLengths(json, root, batch),
            Options = ReadOptions(json, root, batch),
            Rewards = json.Has(inputs, "rewards") ? json.Vector(inputs, Place, "rewards", rollouts) : null,
            BoundarySensitive = json.Boolean(root, "$", "boundary_sensitive"),
            Tags = json.Texts(root, "$", "tags"),
            Reference = Expectation(json, root, "reference_f64", rollouts, length),
            SingleReference = Expectation(json, root, "reference_f32", rollouts, length),
        };
    }

    /// <summary>A case from memory, without expected values.</summary>
    internal static IcePopCaseFile Create(
        string name, int id, RolloutBatch batch, PolicyObjectiveOptions options, IReadOnlyList<string> tags) =>
        new(name) { Name = name, Id = id, Batch = batch, Options = options, Tags = tags };

    /// <summary>The inputs rounded to float32.</summary>
    /// <returns>The batch.</returns>
    /// <exception cref="InvalidInputException">A finite number has no place in float32.</exception>
    public RolloutBatchSingle SingleBatch()
    {
        try
        {
            return Batch.ToSingle();
        }
        catch (ArgumentException exception)
        {
            throw new InvalidInputException(
                Path, "inputs", "have no float32 form: " + exception.Message.ReplaceLineEndings(" "), exception);
        }
    }

    private static int[]? ReadLengths(CaseJson json, JsonElement root, RolloutBatch batch)
    {
        if (!json.Has(root, "lengths"))
        {
            return null;
        }

        JsonElement lengths = json.Get(root, "$", "lengths", JsonValueKind.Array);
        if (lengths.GetArrayLength() != batch.Rollouts)
        {
            throw json.Refuse("$.lengths", $"must have {batch.Rollouts} elements; found {lengths.GetArrayLength()}");
        }

        int[] values = new int[batch.Rollouts];
        for (int row = 0; row < values.Length; row++)
        {
            string place = $"$.lengths[{row}]";
            values[row] = json.Integer(lengths[row], place, batch.ResponseLength);
            int behind = batch.ResponseMask.Slice(row * batch.ResponseLength, batch.ResponseLength)[values[row]..]
                .IndexOfAnyExcept((byte)0);
            if (behind >= 0)
            {
                throw json.Refuse(place, $"is {values[row]}, but token {values[row] + behind} is in the mask");
            }
        }

        return values;
    }

    private static RolloutBatch Batched(CaseJson json, Func<RolloutBatch> build)
    {
        try
        {
            return build();
        }
        catch (ArgumentException exception)
        {
            string message = exception.Message;
            int tail = message.IndexOf(" (Parameter", StringComparison.Ordinal);
            throw json.Refuse("$.inputs", tail < 0 ? message : message[..tail]);
        }
    }

    private static PolicyObjectiveOptions ReadOptions(CaseJson json, JsonElement root, RolloutBatch batch)
    {
        JsonElement config = json.Get(root, "$", "config", JsonValueKind.Object);
        const string Place = "$.config";
        return CheckOptions(
            json,
            Place,
            "$.inputs.logp_ref",
            json.Number(config, Place, "alpha"),
            json.Number(config, Place, "beta"),
            json.Number(config, Place, "eps_low"),
            json.Number(config, Place, "eps_high"),
            json.Has(config, "kl_coef") ? json.Number(config, Place, "kl_coef") : 0,
            batch);
    }

    private static PolicyObjectiveOptions CheckOptions(
        CaseJson json,
        string place,
        string referencePlace,
        double alpha,
        double beta,
        double epsilonLow,
        double epsilonHigh,
        double coefficient,
        RolloutBatch batch)
    {
        PolicyObjectiveOptions options = PolicyObjectiveOptions.Default with
        {
            Correction = new IcePopCorrection(alpha, beta),
            EpsilonLow = epsilonLow,
            EpsilonHigh = epsilonHigh,
            KullbackLeiblerCoefficient = coefficient,
        };
        try
        {
            options.Require();
        }
        catch (ArgumentException exception)
        {
            throw json.RefuseSetting(place, exception.Message);
        }

        return options.KullbackLeiblerCoefficient == 0 || batch.Arrays.Reference is not null
            ? options
            : throw json.Refuse(referencePlace, "required with a kl_coef other than 0");
    }
}
