// Red here means that a checkpoint written for other backends holds other weights than the reference computes with.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json.Nodes;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Tests.Checkpoint;
using Xunit;

namespace RingFlash.Reference.Tests.Configuration;

public sealed class SyntheticCheckpointTests : IDisposable
{
    private const ulong Seed = 77;

    private readonly TemporaryFolder temporary = new();
    private readonly WorkerPool workers = new(3);

    private string Folder => temporary.File("model");

    public void Dispose()
    {
        workers.Dispose();
        temporary.Dispose();
    }

    [Theory]
    [InlineData(WeightStorage.BFloat16, ElementType.BFloat16)]
    [InlineData(WeightStorage.Float32, ElementType.Float32)]
    public void EveryElementOfATinyModelIsTheSyntheticOne(WeightStorage storage, ElementType type)
    {
        SyntheticCheckpoint checkpoint = Plan(ConfigurationTestFiles.Edited(_ => { }), storage: storage);
        checkpoint.Write(Folder, workers);
        using CheckpointFolder folder = CheckpointFolder.Open(Folder);
        using SyntheticSource source = new("synthetic", Seed, TensorCatalog.For(checkpoint.Configuration));
        Assert.Equal(source.Tensors.Count, folder.Tensors.Count);
        Assert.Empty(folder.Warnings); // total_size included
        foreach (TensorInfo tensor in source.Tensors)
        {
            TensorInfo stored = folder.RequireTensor(tensor.Name);
            Assert.Equal(
                tensor.Name.EndsWith("expert_bias", StringComparison.Ordinal) ? ElementType.Float32 : type,
                stored.ElementType);
            Assert.Equal(source.ReadVector(tensor.Name), folder.ReadVector(tensor.Name));
        }

        Assert.All(folder.Shards, shard => Assert.Equal("pt", Assert.Single(shard.Metadata).Value));
    }

    [Fact]
    public void SamplesOfABiggerModelAreTheSyntheticOnesInEveryShard()
    {
        byte[] json = ConfigurationTestFiles.Edited(root =>
        {
            root["vocab_size"] = 9001;
            root["hidden_size"] = 640;
            root["num_attention_heads"] = 10;
            root["moe_intermediate_size"] = 320;
        });
        SyntheticCheckpoint checkpoint = Plan(json, shardSize: 20_000_000);
        IReadOnlyList<ShardResult> shards = checkpoint.Write(Folder, workers);
        Assert.InRange(shards.Count, 5, 50);
        Assert.Equal($"model-00002-of-{shards.Count:00000}.safetensors", shards[1].FileName);
        using CheckpointFolder folder = CheckpointFolder.Open(Folder);
        using SyntheticSource source = new("synthetic", Seed, TensorCatalog.For(checkpoint.Configuration));
        Random random = new(1);
        float[] expected = new float[100], found = new float[100];
        foreach (TensorInfo tensor in source.Tensors.Where(tensor => tensor.ElementCount >= 1000))
        {
            for (int sample = 0; sample < 20; sample++)
            {
                long first = random.NextInt64(tensor.ElementCount - expected.Length + 1);
                source.Read(tensor, first, expected);
                folder.Read(folder.RequireTensor(tensor.Name), first, found);
                Assert.Equal(expected, found);
            }
        }
    }

    [Fact]
    public void Float8HoldsThePublishedMatricesAndNoOthers()
    {
        SyntheticCheckpoint checkpoint =
            Plan(ConfigurationTestFiles.Edited(_ => { }), storage: WeightStorage.Float8);
        checkpoint.Write(Folder, workers);
        using CheckpointFolder folder = CheckpointFolder.Open(Folder);
        using SyntheticSource source = new(
            "synthetic", Seed, TensorCatalog.For(checkpoint.Configuration with { Quantization = null }));
        string[] plain = [.. folder.Tensors.Where(tensor => tensor.ElementType == ElementType.BFloat16)
            .Select(tensor => tensor.Name)];
        string[] kinds =
            ["norm.weight", "word_embeddings.weight", "lm_head.weight", "mlp.gate.weight", "eh_proj.weight"];
        Assert.All(
            plain, name => Assert.Contains(kinds, kind => name.EndsWith(kind, StringComparison.Ordinal)));
        int matrices = 0;
        foreach (TensorInfo tensor in source.Tensors)
        {
            TensorInfo stored = folder.RequireTensor(tensor.Name);
            if (stored.ElementType != ElementType.Float8E4M3)
            {
                Assert.Equal(source.ReadVector(tensor.Name), folder.ReadVector(tensor.Name));
                continue;
            }

            TensorInfo scales = folder.RequireTensor(tensor.Name + TensorCatalog.ScaleSuffix);
            Float8BlockMatrix matrix = new(folder, stored, scales);
            bool rounded = tensor.Name.EndsWith("attention.dense.weight", StringComparison.Ordinal)
                || (tensor.Name.Contains(".mlp.experts.", StringComparison.Ordinal)
                    && !tensor.Name.EndsWith("down_proj.weight", StringComparison.Ordinal));
            Assert.Equal(rounded, folder.ReadVector(scales.Name).All(scale => float.IsPow2(scale)));
            float[] expected = source.ReadVector(tensor.Name), row = new float[matrix.Inputs];
            for (int index = 0; index < matrix.Outputs; index++)
            {
                matrix.ReadRow(index, row);
                float allowed = matrix.RowScales(index).ToArray().Max() * 16; // half a step of e4m3 at 256 … 448
                Assert.All(row, (value, column) =>
                    Assert.InRange(value, Want(index, column) - allowed, Want(index, column) + allowed));
            }

            matrices++;

            float Want(int index, int column) => expected[(index * matrix.Inputs) + column];
        }

        Assert.Equal(4 * 2 + 3 + (3 * 17 * 3) + 2 + (17 * 3), matrices); // attention, dense, experts, MTP layer
        JsonObject config = JsonNode.Parse(File.ReadAllText(Path.Combine(Folder, "config.json")))!.AsObject();
        Assert.Equal(
            """{"activation_scheme":"dynamic","fmt":"e4m3","quant_method":"fp8","weight_block_size":[128,128]}""",
            config["quantization_config"]!.ToJsonString());
        Assert.Equal("bfloat16", (string?)config["torch_dtype"]);
    }

    [Theory]
    [InlineData(0, 0, 1)]
    [InlineData(0, 2, 1)]
    [InlineData(1, 3, 0)]
    [InlineData(2, 2, 0)]
    public void ARangeIsRenumberedAndKeepsItsWeights(int first, int last, int dense)
    {
        SyntheticCheckpoint checkpoint =
            Plan(ConfigurationTestFiles.Edited(_ => { }), layers: new LayerRange(first, last));
        checkpoint.Write(Folder, workers);
        ModelConfiguration read = ConfigurationReader.ReadFile(Path.Combine(Folder, "config.json"));
        int count = last - first + 1;
        Assert.Equal((count, dense, count), (read.LayerCount, read.FirstDenseLayerCount, read.MtpLayerIndex));
        using CheckpointFolder folder = CheckpointFolder.Open(Folder);
        Assert.Empty(TensorCatalog.Check(read, folder));
        ModelConfiguration whole = ConfigurationReader.ReadFile(ConfigurationTestFiles.TinyPath);
        using SyntheticSource source = new("synthetic", Seed, TensorCatalog.For(whole));
        for (int layer = 0; layer <= count; layer++)
        {
            int original = layer < count ? first + layer : 4; // the MTP layer of the whole model
            foreach (string name in new[] { "input_layernorm.weight", "attention.dense.weight" })
            {
                Assert.Equal(
                    source.ReadVector($"model.layers.{original}.{name}"),
                    folder.ReadVector($"model.layers.{layer}.{name}"));
            }
        }
    }

    [Fact]
    public void OtherKeysOfTheConfigurationStay()
    {
        Plan(ConfigurationTestFiles.Edited(root => root["somebody_elses"] = 1e-06), layers: new LayerRange(1, 2))
            .Write(Folder, workers);
        JsonObject config = JsonNode.Parse(File.ReadAllText(Path.Combine(Folder, "config.json")))!.AsObject();
        Assert.Equal(1e-06, (double)config["somebody_elses"]!);
        Assert.Equal(2, (int)config["num_hidden_layers"]!);
        Assert.Equal("architectures", config.First().Key);
    }

    private static SyntheticCheckpoint Plan(
        byte[] json,
        WeightStorage? storage = null,
        LayerRange? layers = null,
        long shardSize = SyntheticCheckpointOptions.DefaultShardSize) =>
        new(new SyntheticCheckpointOptions(json, "tiny", Seed)
        {
            Layers = layers,
            Storage = storage,
            ShardSize = shardSize,
        });
}
