// Shared by the tests of number formats: reads golden tensors without the product's own checkpoint reader.
using System;
using System.Buffers.Binary;
using System.IO;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace RingFlash.Reference.Tests.Numerics;

/// <summary>A few lines that find one tensor in golden/CASE/golden.safetensors.</summary>
internal static class GoldenFile
{
    public static float[] ReadSingles(string name, string tensor) =>
        MemoryMarshal.Cast<byte, float>(ReadBytes(name, tensor)).ToArray();

    public static byte[] ReadBytes(string name, string tensor)
    {
        byte[] file = File.ReadAllBytes(Path.Combine(Root(), name, "golden.safetensors"));
        int headerLength = (int)BinaryPrimitives.ReadInt64LittleEndian(file);
        using JsonDocument header = JsonDocument.Parse(file.AsMemory(8, headerLength));
        JsonElement offsets = header.RootElement.GetProperty(tensor).GetProperty("data_offsets");
        return file[(8 + headerLength + offsets[0].GetInt32())..(8 + headerLength + offsets[1].GetInt32())];
    }

    private static string Root()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            string candidate = Path.Combine(folder.FullName, "golden");
            if (Directory.Exists(candidate))
            {
                return candidate;
            }
        }

        throw new DirectoryNotFoundException("No folder above the tests has a golden folder.");
    }
}
