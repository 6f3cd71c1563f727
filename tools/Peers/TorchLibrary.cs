using System;
using System.Buffers.Binary;
using System.IO;
using System.Text;
using TorchSharp;

namespace RingFlash.Peers;

/// <summary>Makes libtorch loadable where the C++ runtime is older than the one that TorchSharp was linked with.
/// </summary>
/// <remarks>
/// TorchSharp 0.107.0's bridge asks for version GLIBCXX_3.4.32 of libstdc++ because of one symbol that GCC 13 mentions
/// and nobody calls. The loader refuses a missing version unless it is marked weak, so the mark is set in the copy that
/// lies beside this program; not one instruction changes.
/// </remarks>
internal static class TorchLibrary
{
    private const string MissingVersion = "GLIBCXX_3.4.32";
    private const uint VersionNeeds = 0x6ffffffe; // SHT_GNU_verneed
    private const byte Weak = 2; // VER_FLG_WEAK

    /// <summary>Loads libtorch and sets its threads.</summary>
    /// <param name="threads">For operators; there are none between operators.</param>
    /// <returns>Its name and version, for the table's head.</returns>
    public static string Load(int threads)
    {
        string path = Path.Combine(AppContext.BaseDirectory, "libLibTorchSharp.so");
        byte[] library = File.ReadAllBytes(path);
        if (MarkWeak(library))
        {
            File.WriteAllBytes(path + ".new", library);
            File.Move(path + ".new", path, overwrite: true);
        }

        torch.set_num_threads(threads);
        torch.set_num_interop_threads(1);
        return $"libtorch {torch.__version__} (TorchSharp), {torch.get_num_threads()} threads";
    }

    /// <summary>Walks .gnu.version_r; whether a mark was set that was not there.</summary>
    private static bool MarkWeak(Span<byte> elf)
    {
        long sections = BinaryPrimitives.ReadInt64LittleEndian(elf[0x28..]);
        int size = BinaryPrimitives.ReadUInt16LittleEndian(elf[0x3a..]);
        int count = BinaryPrimitives.ReadUInt16LittleEndian(elf[0x3c..]);
        bool changed = false;
        for (int section = 0; section < count; section++)
        {
            Span<byte> header = elf[(int)(sections + (section * size))..];
            if (BinaryPrimitives.ReadUInt32LittleEndian(header[4..]) != VersionNeeds)
            {
                continue;
            }

            int texts = BinaryPrimitives.ReadInt32LittleEndian(header[0x28..]);
            int strings =
                (int)BinaryPrimitives.ReadInt64LittleEndian(elf[(int)(sections + (texts * size) + 0x18)..]);
            int library = (int)BinaryPrimitives.ReadInt64LittleEndian(header[0x18..]);
            for (int next = -1; next != 0; library += next)
            {
                int versions = BinaryPrimitives.ReadUInt16LittleEndian(elf[(library + 2)..]);
                int version = library + BinaryPrimitives.ReadInt32LittleEndian(elf[(library + 8)..]);
                for (int index = 0; index < versions; index++)
                {
                    Span<byte> name = elf[(strings + BinaryPrimitives.ReadInt32LittleEndian(elf[(version + 8)..]))..];
                    bool wanted = Encoding.ASCII.GetString(name[..name.IndexOf((byte)0)]) == MissingVersion;
                    changed |= wanted && (elf[version + 4] & Weak) == 0;
                    elf[version + 4] |= wanted ? Weak : (byte)0;
                    version += BinaryPrimitives.ReadInt32LittleEndian(elf[(version + 12)..]);
                }

                next = BinaryPrimitives.ReadInt32LittleEndian(elf[(library + 12)..]);
            }
        }

        return changed;
    }
}
