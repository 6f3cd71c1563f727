using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Dumps;

/// <summary>Finds out what lies at a path, by content, and hands it to the reader of that format.</summary>
internal static class DumpOpening
{
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
        Span<byte> start = stackalloc byte[(int)Math.Min(file.Length, 16)];
        file.ReadExactly(0, start);
        if (start.StartsWith(NumpyHeader.Magic))
        {
            return FileKind.Numpy;
        }

        return start.Length > 8 && start[8] == (byte)'{' ? FileKind.Safetensors : FileKind.Unknown;
    }
}
