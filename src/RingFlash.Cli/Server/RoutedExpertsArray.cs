using System;
using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using RingFlash.Reference.Generation;

namespace RingFlash.Cli.Server;

/// <summary>
/// The routed experts as vLLM sends them: base64 of a NumPy file, [tokens − 1, layers, top-k], uint8 where 256 experts
/// or fewer exist, else uint16. The last token has not been through the model.
/// </summary>
/// <remarks>Source: vllm-project/vllm@002032ee vllm/entrypoints/openai/completion/protocol.py.</remarks>
internal static class RoutedExpertsArray
{
    private const int Alignment = 64; // of NumPy's header

    /// <summary>Encodes.</summary>
    /// <param name="routed">Who was routed where.</param>
    /// <param name="start">Tokens to leave out at the beginning.</param>
    /// <param name="experts">How many experts there are.</param>
    /// <returns>The base64.</returns>
    public static string Encode(RoutedExperts routed, int start, int experts)
    {
        int width = experts <= 256 ? 1 : 2;
        start = Math.Min(start, routed.Tokens);
        byte[] header = Header(width, routed.Tokens - start, routed.Layers, routed.TopK);
        int skipped = start * routed.Layers * routed.TopK;
        byte[] file = new byte[header.Length + ((routed.Indices.Count - skipped) * width)];
        header.CopyTo(file, 0);
        for (int index = skipped; index < routed.Indices.Count; index++)
        {
            Span<byte> place = file.AsSpan(header.Length + ((index - skipped) * width));
            if (width == 1)
            {
                place[0] = (byte)routed.Indices[index];
            }
            else
            {
                BinaryPrimitives.WriteUInt16LittleEndian(place, (ushort)routed.Indices[index]);
            }
        }

        return Convert.ToBase64String(file);
    }

    private static byte[] Header(int width, int tokens, int layers, int topK)
    {
        string type = width == 1 ? "|u1" : "<u2";
        string text = string.Create(
            CultureInfo.InvariantCulture,
            $"{{'descr': '{type}', 'fortran_order': False, 'shape': ({tokens}, {layers}, {topK}), }}");
        byte[] magic = [0x93, .. "NUMPY"u8, 1, 0, 0, 0];
        int length = (magic.Length + text.Length + 1 + Alignment - 1) / Alignment * Alignment;
        BinaryPrimitives.WriteUInt16LittleEndian(magic.AsSpan(8), (ushort)(length - magic.Length));
        return [.. magic, .. Encoding.ASCII.GetBytes(text.PadRight(length - magic.Length - 1)), (byte)'\n'];
    }
}
