using System;
using System.Buffers.Binary;
using System.Globalization;
using System.Linq;
using System.Text;
using System.Text.RegularExpressions;
using RingFlash.Reference.Configuration;

namespace RingFlash.Cli.ServerCheck;

/// <summary>Routed experts as servers pack them into base64.</summary>
internal static partial class ExpertsReader
{
    private const int LongestHeader = 1 << 16;

    /// <summary>vLLM's: a NumPy file, [tokens, layers, topK], of uint8, uint16 or int32.</summary>
    /// <param name="field">The base64.</param>
    /// <param name="configuration">The model.</param>
    /// <returns>The experts.</returns>
    public static ServedExperts ReadNumpy(AnswerFields field, ModelConfiguration configuration)
    {
        byte[] file = Bytes(field);
        if (!file.AsSpan().StartsWith((ReadOnlySpan<byte>)[0x93, .. "NUMPY"u8]) || file.Length < 12)
        {
            throw field.Refuse("must be base64 of a NumPy file");
        }

        int start = file[6] == 1 ? 10 : 12;
        long length = file[6] == 1
            ? BinaryPrimitives.ReadUInt16LittleEndian(file.AsSpan(8))
            : BinaryPrimitives.ReadUInt32LittleEndian(file.AsSpan(8));
        if (file[6] is < 1 or > 3 || length > LongestHeader || start + length > file.Length)
        {
            throw field.Refuse("the NumPy header is damaged");
        }

        string header = Encoding.ASCII.GetString(file, start, (int)length);
        string type = TypePattern().Match(header).Groups[1].Value;
        int width = type switch
        {
            "|u1" => 1,
            "<u2" => 2,
            "<i4" => 4,
            _ => throw field.Refuse("must be uint8, uint16 or int32, little-endian"),
        };
        Match shape = ShapePattern().Match(header);
        if (!shape.Success || !header.Contains("'fortran_order': False", StringComparison.Ordinal))
        {
            throw field.Refuse("must have the shape (tokens, layers, top_k) in C order");
        }

        int[] axes = [.. shape.Groups.Values.Skip(1).Select(
            group => int.Parse(group.Value, NumberStyles.None, CultureInfo.InvariantCulture))];
        int from = start + (int)length;
        if ((long)axes[0] * axes[1] * axes[2] * width != file.Length - from)
        {
            throw field.Refuse($"{file.Length - from} bytes are not {shape.Value} of {width} bytes");
        }

        return Create(field, axes[0], axes[1], axes[2], Numbers(file, from, width), configuration);
    }

    /// <summary>SGLang's: flat int32, [tokens, layers, topK] by its documentation.</summary>
    /// <param name="field">The base64.</param>
    /// <param name="tokens">Tokens of prompt and output; the last has not been through the model.</param>
    /// <param name="configuration">The model.</param>
    /// <returns>The experts.</returns>
    public static ServedExperts ReadFlat(AnswerFields field, int tokens, ModelConfiguration configuration)
    {
        byte[] bytes = Bytes(field);
        if (bytes.Length % sizeof(int) != 0)
        {
            throw field.Refuse("must be base64 of int32");
        }

        int topK = configuration.ExpertsPerToken, all = configuration.LayerCount;
        int[] numbers = Numbers(bytes, 0, sizeof(int));
        foreach (int layers in new[] { all, all - configuration.FirstDenseLayerCount })
        {
            foreach (int rows in new[] { tokens - 1, tokens })
            {
                if (numbers.Length == (long)rows * layers * topK)
                {
                    return Create(field, rows, layers, topK, numbers, configuration);
                }
            }
        }

        throw field.Refuse($"{numbers.Length} numbers are not {tokens - 1} tokens × {all} layers × {topK} experts");
    }

    private static ServedExperts Create(
        AnswerFields field, int tokens, int layers, int topK, int[] numbers, ModelConfiguration configuration)
    {
        bool fits = topK == configuration.ExpertsPerToken
            && (layers == configuration.LayerCount
                || layers == configuration.LayerCount - configuration.FirstDenseLayerCount);
        return !fits
            ? throw field.Refuse(
                $"{layers} layers × {topK} experts are not the model's {configuration.LayerCount} × "
                + $"{configuration.ExpertsPerToken}")
            : new ServedExperts(tokens, layers, topK, numbers);
    }

    private static byte[] Bytes(AnswerFields field)
    {
        try
        {
            return Convert.FromBase64String(field.Text());
        }
        catch (FormatException)
        {
            throw field.Refuse("must be base64");
        }
    }

    private static int[] Numbers(byte[] bytes, int from, int width)
    {
        int[] numbers = new int[(bytes.Length - from) / width];
        for (int index = 0; index < numbers.Length; index++)
        {
            ReadOnlySpan<byte> place = bytes.AsSpan(from + (index * width));
            numbers[index] = width switch
            {
                1 => place[0],
                2 => BinaryPrimitives.ReadUInt16LittleEndian(place),
                _ => BinaryPrimitives.ReadInt32LittleEndian(place),
            };
        }

        return numbers;
    }

    [GeneratedRegex("'descr': '([^']{1,8})'", RegexOptions.CultureInvariant)]
    private static partial Regex TypePattern();

    [GeneratedRegex(@"'shape': \(([0-9]{1,8}), ([0-9]{1,8}), ([0-9]{1,8}),?\)", RegexOptions.CultureInvariant)]
    private static partial Regex ShapePattern();
}
