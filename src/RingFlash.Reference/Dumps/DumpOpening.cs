using System;
using System.Collections.Generic;
using System.IO;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Dumps;

/// <summary>Finds out what lies at a path, by content, and hands it to the reader of that format.</summary>
internal static class DumpOpening
{
    private const string ConverterHint =
        "only its zip form is read; turn it into safetensors with tools/Dump/pt_to_safetensors.py";

    private static readonly Dictionary<string, string> NoAttributes = [];

    /// <summary>Opens a file or a folder.</summary>
    /// <param name="path">The path.</param>
    /// <param name="options">What the caller knows about it.</param>
    /// <returns>The open dump.</returns>
    public static OpenedDump Open(string path, DumpOptions options)
    {
        OpenedDump dump = new(path, options);
        try
        {
            if (Directory.Exists(path))
            {
                DumpFolder.Add(dump, path);
            }
            else
            {
                AddFile(dump, path, NoAttributes);
            }

            return dump;
        }
        catch
        {
            dump.Dispose();
            throw;
        }
    }

    /// <summary>Adds what one file holds.</summary>
    /// <param name="dump">Takes the tensors.</param>
    /// <param name="path">The file.</param>
    /// <param name="attributes">What is known beside.</param>
    public static void AddFile(OpenedDump dump, string path, IReadOnlyDictionary<string, string> attributes)
    {
        DumpFile file = new(path, dump.Files);
        switch (Recognise(file))
        {
            case FileKind.Numpy:
                NumpyDump.Add(dump, file, Path.GetFileNameWithoutExtension(path), attributes);
                dump.Read("npy");
                break;
            case FileKind.Zip:
                AddZip(dump, file, path, attributes);
                break;
            case FileKind.Pickle:
                throw new InvalidInputException(
                    path, string.Empty, $"a bare Python pickle (torch.save before 1.6?): {ConverterHint}");
            case FileKind.Tar:
                throw new InvalidInputException(
                    path, string.Empty, $"a tar archive (an old torch.save?): {ConverterHint}");
            case FileKind.Json:
                throw new InvalidInputException(
                    path, string.Empty, "JSON describes a dump and is none: give the folder that holds it");
            case FileKind.Unknown when Path.GetExtension(path) == RawLogits.Extension:
                RawLogits.Add(dump, file, attributes);
                break;
            default:
                // Also what is none: its reader says what the file looks like.
                SafetensorsDump.Add(dump, path, attributes);
                dump.Read("safetensors");
                break;
        }
    }

    /// <summary>Looks at the first bytes of a file.</summary>
    /// <param name="file">The file.</param>
    /// <returns>What it claims to be.</returns>
    public static FileKind Recognise(ByteSource file)
    {
        Span<byte> start = stackalloc byte[(int)Math.Min(file.Length, 512)];
        file.ReadExactly(0, start);
        if (start.StartsWith(NumpyHeader.Magic))
        {
            return FileKind.Numpy;
        }

        if (start.StartsWith("PK\u0003\u0004"u8) || start.StartsWith("PK\u0005\u0006"u8))
        {
            return FileKind.Zip;
        }

        // A safetensors header of 640 to 1407 bytes begins with 0x80 and 2 to 5 as well, but has a brace behind.
        if (start.Length > 8 && start[8] == (byte)'{')
        {
            return FileKind.Safetensors;
        }

        if (start.Length >= 2 && start[0] == 0x80 && start[1] is >= 2 and <= 5)
        {
            return FileKind.Pickle;
        }

        if (start.Length > 262 && start[257..].StartsWith("ustar"u8))
        {
            return FileKind.Tar;
        }

        return start.TrimStart(" \t\r\n"u8).StartsWith("{"u8) ? FileKind.Json : FileKind.Unknown;
    }

    private static void AddZip(
        OpenedDump dump, ByteSource file, string path, IReadOnlyDictionary<string, string> attributes)
    {
        ZipDirectory zip = ZipDirectory.Read(file);
        if (TorchArchive.FindPickle(zip) is not ZipEntry pickle)
        {
            NumpyDump.AddArchive(dump, file, zip, attributes);
            dump.Read("npz");
            return;
        }

        TorchArchive archive = TorchArchive.Open(dump, file, zip, pickle);
        if (SglangFile.TryAdd(dump, archive, path, attributes))
        {
            dump.Read("SGLang dumper");
            return;
        }

        string name = archive.Value is TorchTensor ? Path.GetFileNameWithoutExtension(path) : string.Empty;
        if (archive.Add(archive.Value, name, attributes) == 0)
        {
            dump.Note($"{Path.GetFileName(path)}: holds no tensor");
        }

        dump.Read("torch.save");
    }
}
