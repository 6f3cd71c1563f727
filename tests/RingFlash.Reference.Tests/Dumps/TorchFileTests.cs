// Red here: what torch.save wrote is read wrong, or a file that asks for more than data is not refused by name.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Dumps;
using RingFlash.Reference.Numerics;
using Xunit;

namespace RingFlash.Reference.Tests.Dumps;

public sealed class TorchFileTests
{
    [Theory]
    [InlineData("views.pt", 17)]
    [InlineData("alone.pt", 1)]
    [InlineData("nested.pt", 3)]
    [InlineData("state_dict.pt", 2)]
    [InlineData("float8.pt", 1)]
    public void EveryTensorIsThereBitForBit(string name, int count)
    {
        using Dump dump = Dump.Open(Fixtures.File(name));
        Assert.Equal("torch.save", dump.Format);
        JsonElement expected = Fixtures.Expected.GetProperty(name);
        Assert.Equal(count, dump.Tensors.Count);
        Assert.Equal(
            expected.EnumerateObject().Select(property => property.Name).Order(StringComparer.Ordinal),
            dump.Tensors.Select(tensor => tensor.Name).Order(StringComparer.Ordinal));
        foreach (DumpTensor tensor in dump.Tensors)
        {
            Fixtures.AssertHolds(expected.GetProperty(tensor.Name), tensor);
        }
    }

    [Fact]
    public void ElementTypesAreThoseStored()
    {
        using Dump dump = Dump.Open(Fixtures.File("views.pt"));
        Dictionary<string, ElementType> types = dump.Tensors.ToDictionary(
            tensor => tensor.Name, tensor => tensor.ElementType);
        Assert.Equal(ElementType.BFloat16, types["bfloat16"]);
        Assert.Equal(ElementType.Float64, types["float64"]);
        Assert.Equal(ElementType.Boolean, types["boolean"]);
        Assert.Equal(ElementType.UInt8, types["uint8"]);
    }

    [Fact]
    public void SglangFolder()
    {
        using Dump dump = Dump.Open(Fixtures.File("sglang"));
        Assert.Equal("SGLang dumper", dump.Format);
        Assert.Equal(4, dump.Tensors.Count);
        JsonElement expected = Fixtures.Expected.GetProperty("sglang");
        foreach (DumpTensor tensor in dump.Tensors)
        {
            string rank = tensor.Attributes["rank"];
            Fixtures.AssertHolds(expected.GetProperty($"{tensor.Name}@{rank}"), tensor);
            Assert.Equal("0", tensor.Attributes["step"]);
            Assert.Equal("1", tensor.Attributes["layer_id"]);
            Assert.Equal("disabled", tensor.Attributes["recompute_status"]);
            Assert.Equal("t h[tp]", tensor.Attributes["dims"]);
            Assert.Equal("2", tensor.Attributes["world_size"]);
            Assert.Equal(rank, tensor.Attributes["sglang_parallel_info.tp_rank"]);
            Assert.Equal("false", tensor.Attributes["sglang_parallel_info.enable_dp_attention"]);
        }

        Assert.Equal(2, dump.Notes.Count(note => note.Contains("rids", StringComparison.Ordinal)));
    }

    [Fact]
    public void Row50_TheRefusedGlobalIsNamedAndNothingRuns()
    {
        const string Trace = "/tmp/ringflash-was-here";
        Assert.False(File.Exists(Trace));
        InvalidInputException exception = Refused("command.pt");
        Assert.Contains("global \"posix.system\" is refused", exception.Message, StringComparison.Ordinal);
        Assert.Contains("command.pt", exception.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(Trace));
    }

    [Fact]
    public void Row51_TheOldFormIsRefusedWithAHint()
    {
        InvalidInputException exception = Refused("legacy.pt");
        Assert.Contains("bare Python pickle", exception.Message, StringComparison.Ordinal);
        Assert.Contains("tools/Dump/pt_to_safetensors.py", exception.Message, StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(RepositoryRoot.Path, "tools", "Dump", "pt_to_safetensors.py")));
    }

    [Fact]
    public void Row52_AViewPastItsStorageIsRefused()
    {
        InvalidInputException exception = Refused("past.pt");
        Assert.Contains("size [2, 3], strides [3, 1] from element 1", exception.Message, StringComparison.Ordinal);
        Assert.Contains("past its storage of 4 elements", exception.Message, StringComparison.Ordinal);
    }

    private static InvalidInputException Refused(string name) =>
        Assert.Throws<InvalidInputException>(() => Dump.Open(Fixtures.File(name)));
}
