// Red here: a damaged dump ends in an exception that the tool does not turn into one line, or takes long, or much
// memory.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Dumps;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Tests.Checkpoint;
using Xunit;

namespace RingFlash.Reference.Tests.Dumps;

public sealed class DumpFuzz : IDisposable
{
    private const long MemoryLimit = 256 << 20;
    private const int Rounds = 600;

    private static readonly byte[][] Replacements =
    [
        [0], [0xFF], [0xFF, 0xFF, 0xFF, 0xFF], [0xFF, 0xFF, 0xFF, 0x7F], [0, 0, 0, 0x80], [.. "(()))"u8], [.. "...."u8],
        [.. "qq"u8], [.. "hhhh"u8], [.. "9223372036854775807"u8], [.. "-1"u8], [.. "../x"u8], [.. "\\ud800"u8],
        [.. "cos\nsystem\n"u8], [.. "PK\u0003\u0004"u8], [.. "PK\u0001\u0002"u8], [.. "nan"u8], [.. "\""u8], [.. "]"u8],
        [.. "torch.Size([4294967295, 4294967295])"u8], [0x8A, 0xFF], [.. "R"u8], [.. "Q"u8], [.. "t"u8], [.. "b"u8],
    ];

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("views.pt")]
    [InlineData("nested.pt")]
    [InlineData("float8.pt")]
    [InlineData("stored.npz")]
    [InlineData("deflated.npz")]
    [InlineData("fortran.npy")]
    [InlineData("big_fortran.npy")]
    [InlineData("plain.npy")]
    public void ADamagedFileIsReadOrRefusedInOneLine(string name)
    {
        byte[] whole = File.ReadAllBytes(Fixtures.File(name));
        string path = folder.File(name);
        Run(name, random =>
        {
            File.WriteAllBytes(path, Damage(whole, random));
            return path;
        });
    }

    [Fact]
    public void ADamagedSafetensorsFileIsReadOrRefusedInOneLine()
    {
        string path = folder.File("a.safetensors");
        SafetensorsWriter.Write(
            path,
            [
                SafetensorsContent.FromSingle("b", [2, 2], new float[] { 1, -2, 3.5f, float.NaN }),
                SafetensorsContent.FromInt64("a", [3], new long[] { 7, -1, long.MaxValue }),
            ]);
        byte[] whole = File.ReadAllBytes(path);
        Run("safetensors", random =>
        {
            File.WriteAllBytes(path, Damage(whole, random));
            return path;
        });
    }

    [Theory]
    [InlineData("debugger-files", "Tiny_debug_tree_FULL_TENSORS.json")]
    [InlineData("debugger-text", "Tiny_debug_tree_FULL_TENSORS.json")]
    [InlineData("msprobe/step0/rank0", "dump.json")]
    public void ADamagedDescriptionIsReadOrRefusedInOneLine(string name, string description)
    {
        foreach (string file in Directory.GetFiles(Fixtures.File(name), "*", SearchOption.AllDirectories))
        {
            string copy = folder.File(Path.GetRelativePath(Fixtures.File(name), file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }

        byte[] whole = File.ReadAllBytes(folder.File(description));
        Run(name, random =>
        {
            File.WriteAllBytes(folder.File(description), Damage(whole, random));
            return folder.Path;
        });
    }

    [Fact]
    public void AListThatHoldsAListManyTimesIsCapped()
    {
        // Each level holds the last one ten times: 10^12 tensors in some 200 bytes.
        List<byte> pickle = [0x80, 2, .. "]q\0K\u0001a"u8];
        for (byte level = 1; level <= 12; level++)
        {
            pickle.AddRange([(byte)']', (byte)'q', level]);
            for (int item = 0; item < 10; item++)
            {
                pickle.AddRange([(byte)'h', (byte)(level - 1), (byte)'a']);
            }
        }

        // Only the innermost value is left on the stack with the others, so they are popped one by one.
        pickle.AddRange([(byte)'q', 99, (byte)'0']);
        pickle.AddRange(Enumerable.Repeat((byte)'0', 12));
        pickle.AddRange([(byte)'h', 99, (byte)'.']);
        string path = folder.Write("laughs.pt", TorchZip([.. pickle]));
        InvalidInputException exception = Assert.Throws<InvalidInputException>(() => Read(path));
        Assert.Contains("more than 100000 values", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AListThatHoldsItselfIsCapped()
    {
        string path = folder.Write("itself.pt", TorchZip([0x80, 2, .. "]q\0h\0a."u8]));
        InvalidInputException exception = Assert.Throws<InvalidInputException>(() => Read(path));
        Assert.Contains("nested deeper than 64", exception.Message, StringComparison.Ordinal);
    }

    private static byte[] TorchZip(byte[] pickle)
    {
        using MemoryStream stream = new();
        using (System.IO.Compression.ZipArchive archive =
            new(stream, System.IO.Compression.ZipArchiveMode.Create, leaveOpen: true))
        using (Stream entry =
            archive.CreateEntry("a/data.pkl", System.IO.Compression.CompressionLevel.NoCompression).Open())
        {
            entry.Write(pickle);
        }

        return stream.ToArray();
    }

    private static byte[] Damage(byte[] whole, Random random)
    {
        List<byte> bytes = [.. whole];
        for (int count = random.Next(1, 4); count > 0; count--)
        {
            int at = random.Next(bytes.Count);
            switch (random.Next(5))
            {
                case 0:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 1:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 2:
                    byte[] replacement = Replacements[random.Next(Replacements.Length)];
                    for (int index = 0; index < replacement.Length && at + index < bytes.Count; index++)
                    {
                        bytes[at + index] = replacement[index];
                    }

                    break;
                case 3:
                    bytes.RemoveRange(at, Math.Min(random.Next(1, 9), bytes.Count - at - (at == 0 ? 1 : 0)));
                    break;
                default:
                    bytes.InsertRange(at, Replacements[random.Next(Replacements.Length)]);
                    break;
            }
        }

        return [.. bytes];
    }

    private static void Run(string name, Func<Random, string> damage)
    {
        int accepted = 0;
        for (int seed = 0; seed < Rounds; seed++)
        {
            string path = damage(new Random(seed));
            long before = GC.GetAllocatedBytesForCurrentThread();
            long started = Stopwatch.GetTimestamp();
            try
            {
                Read(path);
                accepted++;
            }
            catch (Exception exception) when (exception is InvalidInputException or EnvironmentException)
            {
                Assert.DoesNotContain('\n', exception.Message);
                Assert.Contains(Path.GetFileName(path), exception.Message, StringComparison.Ordinal);
            }
            catch (Exception exception)
            {
                Assert.Fail($"{name}, seed {seed}: {exception}");
            }

            Assert.True(
                GC.GetAllocatedBytesForCurrentThread() - before < MemoryLimit, $"{name}, seed {seed}: much memory");
            Assert.True(
                Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(5), $"{name}, seed {seed}: takes long");
        }

        // Both outcomes must occur, or the fuzz exercises one path only.
        Assert.InRange(accepted, 1, Rounds - 1);
    }

    private static void Read(string path)
    {
        using Dump dump = Dump.Open(path);
        float[] values = new float[1000];
        foreach (DumpTensor tensor in dump.Tensors)
        {
            long count = tensor.Shape.Aggregate(1L, (product, axis) => checked(product * axis));
            tensor.ReadSingle(0, values.AsSpan(0, (int)Math.Min(count, values.Length)));
            Assert.NotNull(tensor.Place);
        }
    }
}
