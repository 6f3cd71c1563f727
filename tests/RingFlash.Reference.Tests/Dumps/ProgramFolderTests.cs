// Red here: the folder of a program that describes its dump in JSON is read wrong, or leads outside itself.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Dumps;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Tests.Checkpoint;
using Xunit;

namespace RingFlash.Reference.Tests.Dumps;

public sealed class ProgramFolderTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("debugger-files")]
    [InlineData("debugger-text")]
    public void HuggingFaceDebugger(string name)
    {
        using Dump dump = Dump.Open(Fixtures.File(name));
        Assert.Equal("Hugging Face model debugger", dump.Format);
        JsonElement expected = Fixtures.Expected.GetProperty(name);

        // Text keeps both calls of a module, files only the last one; the values are known of the last.
        Dictionary<string, DumpTensor> last = [];
        foreach (DumpTensor tensor in dump.Tensors)
        {
            last[tensor.Name] = tensor;
        }

        Assert.Equal(
            expected.EnumerateObject().Select(property => property.Name).Order(StringComparer.Ordinal),
            last.Keys.Order(StringComparer.Ordinal));
        foreach ((string tensorName, DumpTensor tensor) in last)
        {
            Fixtures.AssertHolds(expected.GetProperty(tensorName), tensor);
        }

        DumpTensor gate = last["Tiny.block.gate.outputs.1"];
        Assert.Equal(ElementType.BFloat16, gate.ElementType);
        Assert.Contains("Tiny.block.inputs.kwargs.scale", last.Keys);
        Assert.Equal("2", last["Tiny.block.expert.up.outputs"].Attributes["call"]);
    }

    [Fact]
    public void WhatTheDebuggerLosesIsNoted()
    {
        using Dump files = Dump.Open(Fixtures.File("debugger-files"));
        Assert.Contains("Tiny.outputs.logits", files.Tensors.Select(tensor => tensor.Name));
        Assert.Equal(3, files.Notes.Count(note => note.Contains("overwritten", StringComparison.Ordinal)));
        using Dump text = Dump.Open(Fixtures.File("debugger-text"));
        Assert.Equal(2, text.Tensors.Count(tensor => tensor.Name == "Tiny.block.expert.up.outputs"));
        Assert.Single(text.Notes, note => note.Contains("only a part", StringComparison.Ordinal));
        Assert.All(text.Tensors, tensor => Assert.Equal("5 significant digits", tensor.Attributes["printed"]));
    }

    [Fact]
    public void TheSummaryAloneStillFindsTheFiles()
    {
        foreach (string file in Directory.GetFiles(Fixtures.File("debugger-files")))
        {
            if (!file.EndsWith("FULL_TENSORS.json", StringComparison.Ordinal))
            {
                File.Copy(file, folder.File(Path.GetFileName(file)));
            }
        }

        using Dump dump = Dump.Open(folder.Path);
        Assert.Equal(
            Fixtures.Expected.GetProperty("debugger-files").EnumerateObject().Select(property => property.Name)
                .Order(StringComparer.Ordinal),
            dump.Tensors.Select(tensor => tensor.Name).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Msprobe()
    {
        using Dump dump = Dump.Open(Fixtures.File("msprobe"));
        Assert.Equal("msprobe and npy and torch.save", dump.Format);
        JsonElement expected = Fixtures.Expected.GetProperty("msprobe");
        Assert.Equal(expected.EnumerateObject().Count(), dump.Tensors.Count);
        foreach (DumpTensor tensor in dump.Tensors)
        {
            Assert.Equal("0", tensor.Attributes["step"]);
            Fixtures.AssertHolds(expected.GetProperty($"{tensor.Name}@{tensor.Attributes["rank"]}"), tensor);
        }

        Assert.Equal(2, dump.Notes.Count(note => note.Contains("does not name it", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("../x.pt")]
    [InlineData("/etc/passwd")]
    [InlineData("a/b.pt")]
    [InlineData("a\\\\b.pt")]
    [InlineData("..")]
    [InlineData("")]
    public void ANameThatLeadsOutsideIsRefused(string name)
    {
        folder.Write("dump.json", "{\"data\": {\"call\": {\"data_name\": \"" + name + "\"}}}");
        Refused("outside the folder", "dump.json");
        File.Delete(folder.File("dump.json"));
        folder.Write(
            "A_debug_tree_FULL_TENSORS.json",
            $$$"""
            {"module_path": "A", "outputs":
             {"shape": "torch.Size([1])", "dtype": "torch.float32", "value": "{{{name}}}"}}
            """);
        Refused("outside", "A_debug_tree_FULL_TENSORS.json");
    }

    [Theory]
    [InlineData("[1]", "must be an object")]
    [InlineData("{\"data\": {}", "not valid JSON")]
    [InlineData("{\"data\": \"\\ud800\"}", "lone surrogate")]
    [InlineData("{\"task\": \"statistics\"}", "$.data")]
    public void BadDescription(string json, string rule)
    {
        folder.Write("dump.json", json);
        Refused(rule, "dump.json");
    }

    [Fact]
    public void DeepNestingIsRefused()
    {
        folder.Write("dump.json", "{\"data\": " + new string('[', 10_000));
        Refused("not valid JSON", "dump.json");
    }

    [Fact]
    public void StatisticsAloneAreSaidToBe()
    {
        folder.Write("dump.json", """{"task": "statistics", "data": {"call": {"output": [{"Max": NaN}]}}}""");
        using Dump dump = Dump.Open(folder.Path);
        Assert.Empty(dump.Tensors);
        Assert.Contains(dump.Notes, note => note.Contains("statistics only", StringComparison.Ordinal));
    }

    private void Refused(params string[] parts)
    {
        InvalidInputException exception =
            Assert.Throws<InvalidInputException>(() => Dump.Open(folder.Path).Dispose());
        Assert.All(parts, part => Assert.Contains(part, exception.Message, StringComparison.Ordinal));
    }
}
