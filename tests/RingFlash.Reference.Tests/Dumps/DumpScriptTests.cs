// Red here: a script of tools/Dump does not compile, or writes something else than what the readers read.
using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Dumps;
using RingFlash.Reference.Tests.Checkpoint;
using Xunit;

namespace RingFlash.Reference.Tests.Dumps;

public sealed class DumpScriptTests : IDisposable
{
    private static readonly string Tools = Path.Combine(RepositoryRoot.Path, "tools", "Dump");

    private static readonly ConcurrentDictionary<string, string?> Found = new();

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void EveryScriptCompilesAndSaysHow()
    {
        const string Compile = "import ast, sys; [ast.parse(open(name).read()) for name in sys.argv[1:]]";
        string[] scripts = Directory.GetFiles(Tools, "*.py");
        Assert.Equal(5, scripts.Length);
        Run(Python("sys"), ["-c", Compile, .. scripts]);
        foreach (string script in new[] { "dump_transformers.py", "dump_vllm.py", "pt_to_safetensors.py" })
        {
            Assert.Contains("usage:", Run(Python("torch"), Path.Combine(Tools, script), "--help"),
                StringComparison.Ordinal);
        }
    }

    [Fact]
    public void HooksWriteEveryModuleWithItsNameAndType()
    {
        string path = folder.File("hooks.safetensors");
        Run(Python("torch"), Fixtures.File("run_hooks.py"), Tools, path);
        using Dump dump = Dump.Open(path);
        Dictionary<string, DumpTensor> tensors = dump.Tensors.ToDictionary(tensor => tensor.Name);
        Assert.Equal([1L, 2L, 3L], Fixtures.Integers(tensors["input_ids"]));
        DumpTensor embedding = tensors["model.word_embeddings.output"];
        Assert.Equal(ElementType.BFloat16, embedding.ElementType);
        Assert.Equal("bfloat16", embedding.Attributes["dtype"]);

        // The layer adds 1: a hook on the wrong side of it, or a tensor of the wrong module, is seen.
        float[] before = Fixtures.Singles(tensors["model.layers.0.inputs.0"]);
        Assert.Equal(before, Fixtures.Singles(embedding));
        Assert.Equal(before.Select(value => value + 1), Fixtures.Singles(tensors["model.layers.0.output.0"]));
        Assert.Equal(before.Select(value => value + 2), Fixtures.Singles(tensors["model.layers.1.output.0"]));
        Assert.Equal(ElementType.Int64, tensors["model.layers.0.mlp.gate.output.0"].ElementType);
        Assert.Equal(ElementType.Float32, tensors["model.layers.0.mlp.gate.output.1"].ElementType);
        Assert.Equal([1L, 3L, 4L], tensors["lm_head.output"].Shape);
    }

    [Theory]
    [InlineData("views.pt")]
    [InlineData("alone.pt")]
    public void TheConverterAndTheReaderAgree(string name)
    {
        Run(Python("torch"), Path.Combine(Tools, "pt_to_safetensors.py"), Fixtures.File(name), folder.Path);
        using Dump converted = Dump.Open(folder.File(Path.ChangeExtension(name, ".safetensors")));
        AssertHolds(name, converted);
    }

    [Fact]
    public void TheConverterReadsTheOldForm()
    {
        Run(Python("torch"), Path.Combine(Tools, "pt_to_safetensors.py"), Fixtures.File("legacy.pt"), folder.Path);
        using Dump converted = Dump.Open(folder.File("legacy.safetensors"));
        Assert.Equal("legacy", Assert.Single(converted.Tensors).Name);
        Fixtures.AssertHolds(
            Fixtures.Expected.GetProperty("views.pt").GetProperty("base"), converted.Tensors[0]);
    }

    [Fact]
    public void TheConverterKeepsSglangsAttributes()
    {
        Run(Python("torch"), Path.Combine(Tools, "pt_to_safetensors.py"), Fixtures.File("sglang"), folder.Path);
        using Dump read = Dump.Open(Fixtures.File("sglang")), converted = Dump.Open(folder.Path);
        Assert.Equal(read.Tensors.Count, converted.Tensors.Count);
        foreach ((DumpTensor left, DumpTensor right) in read.Tensors.Zip(converted.Tensors))
        {
            Assert.Equal(left.Name, right.Name);
            Assert.Equal(left.ElementType, right.ElementType);
            Assert.Equal(Fixtures.Singles(left), Fixtures.Singles(right));
            Assert.Equal(left.Attributes.OrderBy(pair => pair.Key), right.Attributes.OrderBy(pair => pair.Key));
        }
    }

    [Fact]
    public void TheConverterRefusesCode()
    {
        (int code, string output) = Start(
            Python("torch"), Path.Combine(Tools, "pt_to_safetensors.py"), Fixtures.File("command.pt"), folder.Path);
        Assert.Equal(1, code);
        Assert.Contains("command.pt: refused", output, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(folder.Path));
        Assert.False(File.Exists("/tmp/ringflash-was-here"));
    }

    private static void AssertHolds(string name, Dump dump)
    {
        Assert.Equal(Fixtures.Expected.GetProperty(name).EnumerateObject().Count(), dump.Tensors.Count);
        foreach (DumpTensor tensor in dump.Tensors)
        {
            Fixtures.AssertHolds(Fixtures.Expected.GetProperty(name).GetProperty(tensor.Name), tensor);
        }
    }

    // The product needs no Python; where a machine has none, these tests say so and are counted as skipped.
    private static string Python(string module)
    {
        string? python = Found.GetOrAdd(module, static wanted => new[] { "/usr/bin/python3", "python3" }.FirstOrDefault(
            candidate => Start(candidate, "-c", $"import {wanted}").Code == 0));
        Assert.SkipWhen(python is null, $"not available: no Python 3 with {module} on this machine");
        return python!;
    }

    private static string Run(string python, params string[] arguments)
    {
        (int code, string output) = Start(python, arguments);
        Assert.True(code == 0, output);
        return output;
    }

    private static (int Code, string Output) Start(string program, params string[] arguments)
    {
        ProcessStartInfo start = new(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["PYTHONDONTWRITEBYTECODE"] = "1";
        try
        {
            using Process process = Process.Start(start)!;
            Task<string> output = process.StandardOutput.ReadToEndAsync();
            Task<string> error = process.StandardError.ReadToEndAsync();
            process.WaitForExit();
            return (process.ExitCode, output.Result + error.Result);
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return (-1, string.Empty);
        }
    }
}
