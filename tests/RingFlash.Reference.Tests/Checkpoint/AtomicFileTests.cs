// Red here means that a failed write destroys or half replaces a user's file, or leaves rubbish beside it.
using System;
using System.IO;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;
using Xunit;

namespace RingFlash.Reference.Tests.Checkpoint;

public sealed class AtomicFileTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void ReplacesTheFileAndLeavesNothingElse()
    {
        string path = folder.Write("report.json", "old and longer");
        AtomicFile.WriteText(path, "new ä");
        Assert.Equal("new ä"u8.ToArray(), File.ReadAllBytes(path));
        Assert.Equal([path], Directory.GetFileSystemEntries(folder.Path));
    }

    [Theory]
    [InlineData(28)] // ENOSPC as .NET reports it on Unix
    [InlineData(unchecked((int)0x80070070))]
    public void FullDiskLeavesTheOldFile(int code)
    {
        string path = folder.Write("report.json", "old");
        EnvironmentException exception = Assert.Throws<EnvironmentException>(() => AtomicFile.Write(path, stream =>
        {
            stream.Write(new byte[100_000]);
            throw new IOException("No space left on device", code);
        }));
        Assert.Contains("disk is full", exception.Message, StringComparison.Ordinal);
        Assert.Contains(path, exception.Message, StringComparison.Ordinal);
        Assert.Equal("old", File.ReadAllText(path));
        Assert.Equal([path], Directory.GetFileSystemEntries(folder.Path));
    }

    // Needs a file system of 64 KiB, which a test cannot make for itself:
    // mount -t tmpfs -o size=64k tmpfs /tmp/small; RINGFLASH_SMALL_DISK=/tmp/small.
    [Fact(Explicit = true)]
    public void AReallyFullDiskLeavesTheOldFile()
    {
        string disk = Environment.GetEnvironmentVariable("RINGFLASH_SMALL_DISK")!;
        string path = Path.Combine(disk, "report.json");
        File.WriteAllText(path, "old");
        EnvironmentException exception = Assert.Throws<EnvironmentException>(() =>
            AtomicFile.Write(path, stream => stream.Write(new byte[1_000_000])));
        Assert.Contains("disk is full", exception.Message, StringComparison.Ordinal);
        Assert.Equal("old", File.ReadAllText(path));
        Assert.Equal([path], Directory.GetFileSystemEntries(disk));
    }

    [Fact]
    public void AnyOtherFailureGoesOnAndLeavesTheOldFile()
    {
        string path = folder.Write("report.json", "old");
        Assert.Throws<OperationCanceledException>(() => AtomicFile.Write(path, stream =>
        {
            stream.WriteByte(1);
            throw new OperationCanceledException();
        }));
        Assert.Equal("old", File.ReadAllText(path));
        Assert.Equal([path], Directory.GetFileSystemEntries(folder.Path));
    }

    [Fact]
    public void ATargetThatIsAFolderOrHasNoneIsNamed()
    {
        Assert.Throws<EnvironmentException>(() => AtomicFile.WriteText(folder.Path, "x"));
        string path = folder.File(Path.Combine("absent", "report.json"));
        Assert.Contains(
            path,
            Assert.Throws<EnvironmentException>(() => AtomicFile.WriteText(path, "x")).Message,
            StringComparison.Ordinal);
    }
}
