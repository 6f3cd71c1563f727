// Red here: a dump from a stranger ends in a crash, a stack trace, much memory or a file outside its folder. Rows are
// those of the list of bad inputs.
using System;
using System.Buffers.Binary;
using System.Diagnostics;
using System.IO;
using System.IO.Compression;
using System.Linq;
using System.Text;
using RingFlash.Reference.Dumps;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Tests.Checkpoint;
using Xunit;

namespace RingFlash.Reference.Tests.Dumps;

public sealed class HostileDumps : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Row47_AHeaderOf4GigabytesIsRefused()
    {
        byte[] file = [0x93, .. "NUMPY"u8, 2, 0, 0xFF, 0xFF, 0xFF, 0xFF, .. new byte[64]];
        Refused(folder.Write("a.npy", file), "header length 4294967295", "limit of 65536");
    }

    [Theory]
    [InlineData("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }", "more than 64 bits")]
    [InlineData("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", "needs 12 bytes, 8 follow")]
    [InlineData("{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }", "non-negative")]
    [InlineData("{'descr': '<f4', 'fortran_order': False, 'shape': (2.0,), }", "expected ')'")]
    [InlineData("{'descr': '<f4', 'fortran_order': 0, 'shape': (2,), }", "True or False")]
    [InlineData("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", "descr occurs twice")]
    [InlineData("{'descr': '<f4', 'fortran_order': False, }", "shape is missing")]
    [InlineData("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'x': 1}", "unknown key \"x\"")]
    [InlineData("{'descr': '=f4', 'fortran_order': False, 'shape': (2,), }", "no byte order")]
    [InlineData("{'descr': '|V2', 'fortran_order': False, 'shape': (4,), }", "bfloat16")]
    [InlineData("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), } x", "text after")]
    [InlineData("{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,2)}", "rank above")]
    [InlineData("__import__('os').system('x')", "expected '{'")]
    [InlineData("", "end of the header")]
    public void NumpyHeaderThatBreaksARule(string header, string rule) => Refused(
        folder.Write("a.npy", [0x93, .. "NUMPY"u8, 1, 0, (byte)header.Length, 0, .. Encoding.ASCII.GetBytes(header),
            .. new byte[8]]),
        rule);

    [Fact]
    public void Row48_ABombIsStoppedByItsStatedSize()
    {
        // 100 MB of zeros in 100 KB: NumPy itself would unpack it.
        string path = folder.File("bomb.npz");
        using (ZipArchive archive = new(File.Create(path), ZipArchiveMode.Create))
        using (Stream entry = archive.CreateEntry("a.npy", CompressionLevel.Optimal).Open())
        {
            entry.Write(NumpyHeaderOf(100_000_000));
            byte[] zeros = new byte[1_000_000];
            for (int piece = 0; piece < 100; piece++)
            {
                entry.Write(zeros);
            }
        }

        Assert.True(new FileInfo(path).Length < 200_000);
        Refused(path, "a.npy", "64 times the compressed size");
    }

    [Fact]
    public void Row48_ABombIsStoppedByItsRealOutput()
    {
        byte[] honest = Archive("a.npy", [.. NumpyHeaderOf(1000), .. new byte[1000]]);
        byte[] content = [.. NumpyHeaderOf(900), .. new byte[900]];

        // The directory and the header in the array say 900 bytes, the compressed stream holds 1000.
        byte[] lying = [.. honest];
        int directory = lying.AsSpan().LastIndexOf("PK\u0001\u0002"u8);
        BinaryPrimitives.WriteInt32LittleEndian(lying.AsSpan(directory + 24), content.Length);
        string path = folder.Write("lying.npz", lying);
        InvalidInputException exception = Assert.Throws<InvalidInputException>(() => ReadAll(path));
        Assert.Contains("a.npy", exception.Message, StringComparison.Ordinal);

        byte[] shrunk = Archive("a.npy", [.. NumpyHeaderOf(900), .. new byte[1000]]);
        directory = shrunk.AsSpan().LastIndexOf("PK\u0001\u0002"u8);
        BinaryPrimitives.WriteInt32LittleEndian(shrunk.AsSpan(directory + 24), content.Length);
        path = folder.Write("longer.npz", shrunk);
        exception = Assert.Throws<InvalidInputException>(() => ReadAll(path));
        Assert.Contains("holds more than the", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Row49_AnEntryIsANameAndNeverAPath()
    {
        string inner = Path.Combine(folder.Path, "inner");
        Directory.CreateDirectory(inner);
        string path = Path.Combine(inner, "traversal.npz");
        File.Copy(Fixtures.File("traversal.npz"), path);
        using Dump dump = Dump.Open(path);
        Assert.Equal("../x", Assert.Single(dump.Tensors).Name);
        Assert.Equal([1f, 1f], Fixtures.Singles(dump.Tensors[0]));
        Assert.Equal(["inner"], Directory.GetFileSystemEntries(folder.Path).Select(Path.GetFileName));
        Assert.Single(Directory.GetFileSystemEntries(inner));
    }

    [Fact]
    public void ALinkOutOfTheFolderIsRefused()
    {
        string outside = folder.Write("secret.npy", [.. NumpyHeaderOf(4), .. new byte[4]]);
        string inner = Path.Combine(folder.Path, "dump");
        Directory.CreateDirectory(inner);
        File.CreateSymbolicLink(Path.Combine(inner, "a.npy"), outside);
        Refused(inner, "a.npy", "leads outside the folder");
        File.Delete(Path.Combine(inner, "a.npy"));
        Directory.CreateSymbolicLink(Path.Combine(inner, "sub"), folder.Path);
        Refused(inner, "sub", "leads outside the folder");
    }

    [Fact]
    public void APipeIsRefusedAndNotWaitedFor()
    {
        string path = folder.File("a.npy");
        using Process make = Process.Start("mkfifo", path);
        make.WaitForExit();
        Refused(path, "0 bytes");
    }

    [Theory]
    [InlineData("version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull")]
    [InlineData("<!DOCTYPE html><html>", "HTML")]
    [InlineData("{\"a\": 1}", "give the folder")]
    public void OtherContentIsNamed(string content, string rule) =>
        Refused(folder.Write("a.safetensors", content), rule);

    [Fact]
    public void ABinaryFileAsksForTheVocabulary()
    {
        byte[] logits = new byte[2 * 3 * sizeof(float)];
        BinaryPrimitives.WriteSingleLittleEndian(logits.AsSpan(20), 1.5f);
        string path = folder.Write("llamacpp.bin", logits);
        Refused(path, "give the vocabulary size");
        using Dump dump = Dump.Open(path, new DumpOptions { VocabularySize = 3 });
        DumpTensor tensor = Assert.Single(dump.Tensors);
        Assert.Equal([2L, 3L], tensor.Shape);
        Assert.Equal([0f, 0f, 0f, 0f, 0f, 1.5f], Fixtures.Singles(tensor));
        string pointer = folder.Write("a.safetensors", "version https://git-lfs.github.com/spec/v1\n");
        InvalidInputException exception = Assert.Throws<InvalidInputException>(
            () => Dump.Open(pointer, new DumpOptions { VocabularySize = 1 }));
        Assert.Contains("git lfs pull", exception.Message, StringComparison.Ordinal);
        exception = Assert.Throws<InvalidInputException>(
            () => Dump.Open(path, new DumpOptions { VocabularySize = 4 }));
        Assert.Contains("24 bytes are no whole rows of 4", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TarIsRefusedWithAHint()
    {
        byte[] tar = new byte[1024];
        "ustar"u8.CopyTo(tar.AsSpan(257));
        Refused(folder.Write("a.pt", tar), "tar archive", "tools/Dump/pt_to_safetensors.py");
    }

    [Fact]
    public void AZipThatTwoReadersCouldReadDifferentlyIsRefused()
    {
        byte[] array = [.. NumpyHeaderOf(4), .. new byte[4]];
        string path = folder.File("twice.npz");
        using (ZipArchive archive = new(File.Create(path), ZipArchiveMode.Create))
        {
            for (int time = 0; time < 2; time++)
            {
                using Stream entry = archive.CreateEntry("a.npy").Open();
                entry.Write(array);
            }
        }

        Refused(path, "a.npy", "occurs twice");
        byte[] one = Archive("a.npy", array);
        int directory = one.AsSpan().LastIndexOf("PK\u0001\u0002"u8);
        Refused(folder.Write("renamed.npz", With(one, 30, (byte)'b')), "contradicts the central directory");
        Refused(folder.Write("locked.npz", With(one, directory + 8, 1)), "encrypted");
        Refused(folder.Write("method.npz", With(one, directory + 10, 12)), "compression method 12");
        Refused(folder.Write("far.npz", With(one, directory + 44, 1)), "beyond the end of the file");
        Refused(folder.Write("cut.npz", one[..^1]), "without its end");
        Refused(folder.Write("long.npz", With(one, directory + 22, 1)), "longer than the file");
    }

    [Fact]
    public void ACommentIsNoObstacle()
    {
        byte[] array = [.. NumpyHeaderOf(2), 1, 2];
        string path = folder.File("comment.npz");
        using (ZipArchive archive = new(File.Create(path), ZipArchiveMode.Create))
        {
            archive.Comment = new string('x', 5000);
            using Stream entry = archive.CreateEntry("a.npy").Open();
            entry.Write(array);
        }

        using Dump dump = Dump.Open(path);
        Assert.Equal([1f, 2f], Fixtures.Singles(Assert.Single(dump.Tensors)));
    }

    [Fact]
    public void WhatIsNotThereIsAnErrorOfTheSurroundings()
    {
        EnvironmentException exception =
            Assert.Throws<EnvironmentException>(() => Dump.Open(folder.File("nowhere")));
        Assert.Contains("no such file", exception.Message, StringComparison.Ordinal);
        using Dump dump = Dump.Open(folder.Path);
        Assert.Empty(dump.Tensors);
        Assert.Contains(dump.Notes, note => note.Contains("no tensor was found", StringComparison.Ordinal));
    }

    [Fact]
    public void NamesCannotForgeALineOfOutput()
    {
        byte[] archive = Archive("x\nerror: forged.npy", [1, 2, 3]);
        InvalidInputException exception =
            Assert.Throws<InvalidInputException>(() => Dump.Open(folder.Write("a.npz", archive)));
        Assert.DoesNotContain('\n', exception.Message);
    }

    private static byte[] NumpyHeaderOf(int count)
    {
        string header = $"{{'descr': '|u1', 'fortran_order': False, 'shape': ({count},), }}".PadRight(117) + "\n";
        return [0x93, .. "NUMPY"u8, 1, 0, (byte)header.Length, 0, .. Encoding.ASCII.GetBytes(header)];
    }

    private static byte[] Archive(string name, byte[] content)
    {
        using MemoryStream stream = new();
        using (ZipArchive archive = new(stream, ZipArchiveMode.Create, leaveOpen: true))
        using (Stream entry = archive.CreateEntry(name, CompressionLevel.Optimal).Open())
        {
            entry.Write(content);
        }

        return stream.ToArray();
    }

    private static byte[] With(byte[] bytes, int at, byte value)
    {
        byte[] changed = [.. bytes];
        changed[at] = value;
        return changed;
    }

    private static void ReadAll(string path)
    {
        using Dump dump = Dump.Open(path);
        foreach (DumpTensor tensor in dump.Tensors)
        {
            Fixtures.Singles(tensor);
        }
    }

    private static void Refused(string path, params string[] parts)
    {
        InvalidInputException exception = Assert.Throws<InvalidInputException>(() => Dump.Open(path).Dispose());
        Assert.All(parts, part => Assert.Contains(part, exception.Message, StringComparison.Ordinal));
    }
}
