// Red here means that a checkpoint folder can make the tool read files outside it, that weights are taken from the
// wrong shard, or that an incomplete download is computed with.
using System;
using System.IO;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;
using Xunit;

namespace RingFlash.Reference.Tests.Checkpoint;

public sealed class CheckpointFolderTests : IDisposable
{
    private const string Index = "model.safetensors.index.json";
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void OneFile()
    {
        WriteShard(folder.File("model.safetensors"), ("a", 1f), ("b", 2f));
        using CheckpointFolder checkpoint = CheckpointFolder.Open(folder.Path);
        Assert.Equal([2f], checkpoint.ReadVector("b"));
        Assert.Equal(2, checkpoint.Tensors.Count);
        Assert.Empty(checkpoint.Warnings);
        checkpoint.EnsureUnchanged();
    }

    [Fact]
    public void TwoShards()
    {
        WriteShard(folder.File("one.safetensors"), ("a", 1f));
        WriteShard(folder.File("two.safetensors"), ("b", 2f));
        folder.Write(
            Index,
            "{\"metadata\":{\"total_size\":8,\"total_parameters\":2},"
            + "\"weight_map\":{\"a\":\"one.safetensors\",\"b\":\"two.safetensors\"}}");
        using CheckpointFolder checkpoint = CheckpointFolder.Open(folder.Path);
        Assert.Equal([1f], checkpoint.ReadVector("a"));
        Assert.Equal([2f], checkpoint.ReadVector("b"));
        float[] panel = new float[32];
        Assert.True(checkpoint.TryGetTensor("b", out TensorInfo? tensor));
        checkpoint.ReadPanel(tensor, 0, 0, 1, panel);
        Assert.Equal(2f, panel[0]);
        Assert.Equal(2, checkpoint.Shards.Count);
        Assert.Empty(checkpoint.Warnings);
        Assert.Contains(
            folder.Path,
            Assert.Throws<InvalidInputException>(() => checkpoint.ReadVector("c")).Message,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("../../etc/passwd")]
    [InlineData("/etc/passwd")]
    [InlineData("C:\\\\x")]
    [InlineData("C:x")]
    [InlineData("..")]
    [InlineData(".")]
    [InlineData("")]
    [InlineData("sub/model.safetensors")]
    [InlineData("sub\\\\model.safetensors")]
    [InlineData("a\\u0000b")]
    public void Row31_ShardNameThatIsNoPlainFileName(string name)
    {
        folder.Write(Index, "{\"weight_map\":{\"a\":\"" + name + "\"}}");
        Refused(folder.Path, Index, "outside the folder", "\"a\"");
    }

    [Fact]
    public void Row31_LinkOutOfTheFolder()
    {
        using TemporaryFolder elsewhere = new();
        WriteShard(elsewhere.File("secret"), ("a", 1f));
        File.CreateSymbolicLink(folder.File("one.safetensors"), elsewhere.File("secret"));
        folder.Write(Index, "{\"weight_map\":{\"a\":\"one.safetensors\"}}");
        Refused(folder.Path, "one.safetensors", "outside the folder", elsewhere.Path);

        File.CreateSymbolicLink(folder.File("model.safetensors"), elsewhere.File("secret"));
        Refused(folder.Path, "model.safetensors", "outside the folder");
    }

    [Fact]
    public void Row31_LinkThroughALinkedFolder()
    {
        using TemporaryFolder elsewhere = new();
        WriteShard(elsewhere.File("secret"), ("a", 1f));
        Directory.CreateSymbolicLink(folder.File("inner"), elsewhere.Path);
        File.CreateSymbolicLink(folder.File("model.safetensors"), Path.Combine("inner", "secret"));
        Refused(folder.Path, "model.safetensors", "outside the folder");
    }

    [Fact]
    public void Row31_LinkInsideTheFolderIsFollowed()
    {
        WriteShard(folder.File("real"), ("a", 1f));
        File.CreateSymbolicLink(folder.File("model.safetensors"), "real");
        using CheckpointFolder checkpoint = CheckpointFolder.Open(folder.Path);
        Assert.Equal([1f], checkpoint.ReadVector("a"));
    }

    [Fact]
    public void Row31_LinksInACircle()
    {
        File.CreateSymbolicLink(folder.File("model.safetensors"), "other");
        File.CreateSymbolicLink(folder.File("other"), "model.safetensors");
        Assert.Throws<EnvironmentException>(() => CheckpointFolder.Open(folder.Path));
    }

    [Fact]
    public void Row31_HuggingFaceCacheLinksToBlobs()
    {
        string snapshot = folder.File(Path.Combine("models--owner--name", "snapshots", "0123abcd"));
        string blobs = folder.File(Path.Combine("models--owner--name", "blobs"));
        Directory.CreateDirectory(snapshot);
        Directory.CreateDirectory(blobs);
        WriteShard(Path.Combine(blobs, "cafe"), ("a", 1f));
        string link = Path.Combine(snapshot, "model.safetensors");
        File.CreateSymbolicLink(link, Path.Combine("..", "..", "blobs", "cafe"));
        using (CheckpointFolder checkpoint = CheckpointFolder.Open(snapshot))
        {
            Assert.Equal([1f], checkpoint.ReadVector("a"));
            checkpoint.EnsureUnchanged();
        }

        // Out of the cache of this model it may not lead, not even into its neighbour whose name begins alike.
        string neighbour = folder.File("models--owner--name2");
        Directory.CreateDirectory(neighbour);
        WriteShard(Path.Combine(neighbour, "cafe"), ("a", 1f));
        File.Delete(link);
        File.CreateSymbolicLink(link, Path.Combine("..", "..", "..", "models--owner--name2", "cafe"));
        Refused(snapshot, "model.safetensors", "outside the folder");
    }

    [Fact]
    public void Row32_IndexNamesAShardThatLacksTheTensor()
    {
        WriteShard(folder.File("one.safetensors"), ("a", 1f));
        folder.Write(Index, "{\"weight_map\":{\"a\":\"one.safetensors\",\"b\":\"one.safetensors\"}}");
        Refused(folder.Path, Index, "\"b\"", "one.safetensors", "lacks this tensor");
    }

    [Fact]
    public void Row32_ShardHoldsATensorThatIsNotInTheIndex()
    {
        WriteShard(folder.File("one.safetensors"), ("a", 1f), ("line\nbreak", 2f), ("b", 9f));
        WriteShard(folder.File("two.safetensors"), ("b", 3f));
        folder.Write(
            Index,
            "{\"metadata\":{\"total_size\":8},"
            + "\"weight_map\":{\"a\":\"one.safetensors\",\"b\":\"two.safetensors\"}}");
        using CheckpointFolder checkpoint = CheckpointFolder.Open(folder.Path);
        Assert.Equal([3f], checkpoint.ReadVector("b"));
        Assert.False(checkpoint.TryGetTensor("line\nbreak", out _));
        Assert.Equal(3, checkpoint.Warnings.Count);
        Assert.Contains(checkpoint.Warnings, text => text.Contains("line\\u000abreak", StringComparison.Ordinal));
        Assert.Contains(checkpoint.Warnings, text => text.Contains("takes it from two", StringComparison.Ordinal));
        Assert.Contains(checkpoint.Warnings, text => text.Contains("total_size is 8", StringComparison.Ordinal));
        Assert.DoesNotContain(checkpoint.Warnings, text => text.Any(char.IsControl));
    }

    [Theory]
    [InlineData("{\"weight_map\":{\"a\":\"x\",\"a\":\"y\"}}", "JSON")]
    [InlineData("{\"weight_map\":{},\"weight_map\":{}}", "JSON")]
    [InlineData("{\"metadata\":{\"total_size\":1,\"total_size\":2},\"weight_map\":{}}", "JSON")]
    [InlineData("{\"weight_map\":{\"a\":1}}", "must be a string")]
    [InlineData("{\"weight_map\":{\"a\":\"\\ud800\"}}", "surrogate")]
    [InlineData("{\"weight_map\":{\"\\ud800\":\"a\"}}", "")]
    [InlineData("{\"weight_map\":[]}", "weight_map")]
    [InlineData("{}", "weight_map")]
    [InlineData("[]", "weight_map")]
    [InlineData("", "JSON")]
    [InlineData("{\"weight_map\":{}} // comment", "JSON")]
    public void DamagedIndex(string text, string rule)
    {
        folder.Write(Index, text);
        Refused(folder.Path, Index, rule);
    }

    [Fact]
    public void DeepIndex()
    {
        folder.Write(Index, "{\"metadata\":" + new string('[', 10000) + new string(']', 10000) + ",\"weight_map\":{}}");
        Refused(folder.Path, Index, "JSON");
    }

    [Fact]
    public void DamagedShardIsNamed()
    {
        WriteShard(folder.File("one.safetensors"), ("a", 1f));
        folder.Write("two.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n");
        folder.Write(Index, "{\"weight_map\":{\"a\":\"one.safetensors\",\"b\":\"two.safetensors\"}}");
        Refused(folder.Path, "two.safetensors", "git lfs pull");
    }

    [Fact]
    public void NothingThere()
    {
        Assert.Contains(
            Index,
            Assert.Throws<EnvironmentException>(() => CheckpointFolder.Open(folder.Path)).Message,
            StringComparison.Ordinal);
        Assert.Throws<EnvironmentException>(() => CheckpointFolder.Open(folder.File("absent")));
        folder.Write(Index, "{\"weight_map\":{\"a\":\"missing.safetensors\"}}");
        Assert.Contains(
            "missing.safetensors",
            Assert.Throws<EnvironmentException>(() => CheckpointFolder.Open(folder.Path)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void OverlayTakesGoldenFp8WeightsBeforeSyntheticOnes()
    {
        string path = Path.Combine(RepositoryRoot.Golden, "tiny-fp8-f32", "golden.safetensors");
        SafetensorsFile golden = SafetensorsFile.Open(path);
        TensorInfo stored = golden.Tensors.First(tensor => tensor.ElementType == ElementType.Float8E4M3);
        string name = stored.Name["weights.".Length..];
        SyntheticSource synthetic = new(
            "synthetic:test",
            1,
            [
                new TensorInfo(name, ElementType.BFloat16, stored.Shape),
                new TensorInfo("model.norm.weight", ElementType.BFloat16, [64]),
            ]);
        float[] expected = golden.ReadAllSingle(stored);
        float[] norm = synthetic.ReadVector("model.norm.weight");

        using OverlaySource overlay = new(golden, synthetic, "weights.");
        Assert.True(overlay.TryGetTensor(name, out TensorInfo? tensor));
        Assert.Equal(ElementType.Float8E4M3, tensor.ElementType);
        Assert.Equal(expected, overlay.ReadVector(name));
        Assert.Equal(norm, overlay.ReadVector("model.norm.weight"));
        Assert.False(overlay.TryGetTensor("input_ids", out _));
        float[] panel = new float[32];
        overlay.ReadPanel(tensor, 0, 1, 1, panel);
        Assert.Equal(expected[1], panel[0]);
    }

    private static void WriteShard(string path, params (string Name, float Value)[] tensors) =>
        SafetensorsWriter.Write(
            path,
            [.. tensors.Select(tensor => SafetensorsContent.FromSingle(tensor.Name, [1, 1], new[] { tensor.Value }))]);

    private static void Refused(string path, params string[] words)
    {
        InvalidInputException exception = Assert.Throws<InvalidInputException>(() => CheckpointFolder.Open(path));
        Assert.DoesNotContain(exception.Message, char.IsControl);
        Assert.All(words, word => Assert.Contains(word, exception.Message, StringComparison.Ordinal));
    }
}
