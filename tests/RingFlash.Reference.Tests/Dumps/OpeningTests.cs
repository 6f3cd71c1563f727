// Red here: a dump in one of the plain formats is not recognised, or its numbers come out wrong.
using System;
using System.IO;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Dumps;
using RingFlash.Reference.Tests.Checkpoint;
using Xunit;

namespace RingFlash.Reference.Tests.Dumps;

public sealed class OpeningTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void SafetensorsFileWithMetadata()
    {
        string path = folder.File("a.safetensors");
        SafetensorsWriter.Write(
            path,
            [
                SafetensorsContent.FromSingle("b", [2, 2], new float[] { 1, -2, 3.5f, float.NaN }),
                SafetensorsContent.FromInt64("a", [3], new long[] { 7, -1, long.MaxValue }),
                SafetensorsContent.FromDouble("c", [], new double[] { 1 + 1e-10 }),
            ],
            new System.Collections.Generic.Dictionary<string, string> { ["rank"] = "0" });
        using Dump dump = Dump.Open(path);
        Assert.Equal("safetensors", dump.Format);
        Assert.Equal(3, dump.Tensors.Count);
        DumpTensor b = dump.Tensors.Single(tensor => tensor.Name == "b");
        Assert.Equal([2L, 2L], b.Shape);
        Assert.Equal("0", b.Attributes["rank"]);
        float[] values = new float[3];
        b.ReadSingle(1, values);
        Assert.Equal([-2f, 3.5f, float.NaN], values);
        long[] integers = new long[3];
        dump.Tensors.Single(tensor => tensor.Name == "a").ReadInt64(0, integers);
        Assert.Equal([7, -1, long.MaxValue], integers);
        dump.Tensors.Single(tensor => tensor.Name == "c").ReadSingle(0, values.AsSpan(0, 1));
        Assert.Equal(1f, values[0]);
    }

    [Fact]
    public void FolderKeepsDuplicateNames()
    {
        foreach (string name in new[] { "rank0.safetensors", "rank1.safetensors" })
        {
            SafetensorsWriter.Write(
                folder.File(name), [SafetensorsContent.FromSingle("same", [1], new float[] { 1 })]);
        }

        folder.Write("readme.txt", "hello");
        using Dump dump = Dump.Open(folder.Path);
        Assert.Equal(["same", "same"], dump.Tensors.Select(tensor => tensor.Name));
        Assert.Contains("rank1.safetensors", dump.Tensors[1].Place, StringComparison.Ordinal);
        Assert.Single(dump.Notes, note => note.Contains("readme.txt", StringComparison.Ordinal));
    }

    [Fact]
    public void GoldenCase()
    {
        using Dump dump = Dump.Open(Path.Combine(RepositoryRoot.Golden, "tiny-f32"));
        Assert.Contains(dump.Tensors, tensor => tensor.Name == "model.layers.0.mlp.output");
    }
}
