// Red here means that the Python loader of tools/icepop or its examples do not run, or that the check judges them
// wrongly: what the README's five minutes promise.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Threading.Tasks;
using RingFlash.Cli;
using RingFlash.Reference.Tests.Checkpoint;
using Xunit;

namespace RingFlash.Reference.Tests.Cli;

public sealed class IcePopPythonTests : IDisposable
{
    private static readonly string Golden = Path.Combine(RepositoryRoot.Golden, "icepop");
    private static readonly string Tools = Path.Combine(RepositoryRoot.Path, "tools", "icepop");
    private static readonly Dictionary<string, string?> Found = [];

    private readonly TemporaryFolder _temporary = new();

    public void Dispose() => _temporary.Dispose();

    [Theory]
    [InlineData("my_loss_numpy.py", "numpy", "float64")]
    [InlineData("my_loss_numpy.py", "numpy", "float32")]
    [InlineData("my_loss_torch.py", "torch", "float64")]
    [InlineData("my_loss_torch.py", "torch", "float32")]
    public async Task ARightLossPasses(string script, string module, string precision)
    {
        string python = Python(module), cases = _temporary.File("cases"), actual = _temporary.File("mine.json");
        await IcePop("cases", "--out", cases, "--seed", "3", "--count", "25", "--edge");
        Run(python, null, script, Golden, cases, "--out", actual, "--precision", precision);
        ToolRun run = await IcePop("check", "--cases", Golden, cases, "--actual", actual);
        Assert.True(run.Code == ExitCodes.WithinBudget, run.Output + run.Error);
        Assert.Contains(" of 80 cases equal profile paper", run.Output, StringComparison.Ordinal);
        Assert.Contains(precision, run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task TheWrongLossIsNamed()
    {
        string python = Python("torch"), actual = _temporary.File("mine.json");
        Run(python, null, "wrong_loss_torch.py", Golden, "--out", actual);
        ToolRun run = await IcePop("check", "--cases", Golden, "--actual", actual);
        Assert.Equal(ExitCodes.OverBudget, run.Code);
        Assert.StartsWith(
            "FAILED online_small_noise: weight of rollout 0, token 0 is 1, expected 1.01", run.Output,
            StringComparison.Ordinal);
        Assert.Contains("nearest is skyrl/token_mask", run.Output, StringComparison.Ordinal);
        Assert.Contains(
            "one change of the published objective gives your numbers: factor 1 instead of k", run.Output,
            StringComparison.Ordinal);
        string ragged = Path.Combine(Golden, "case_005_offpolicy_ragged.json");
        run = await IcePop("check", "--cases", ragged, "--actual", actual);
        Assert.Contains("your numbers equal profile skyrl/token_mask", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void ALossAnswersCasesOnStandardInput()
    {
        string python = Python("numpy");
        string good = File.ReadAllText(Path.Combine(Golden, "case_018_nan_in_valid_infer.json")).ReplaceLineEndings("");
        string[] answers = Run(python, $"{good}\n{good.Replace("\"shape\":[", "\"shape\":[1,")}\n", "my_loss_numpy.py")
            .Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(2, answers.Length);
        using JsonDocument first = JsonDocument.Parse(answers[0]), second = JsonDocument.Parse(answers[1]);
        Assert.Equal(5, first.RootElement.GetProperty("grad").EnumerateObject().Count());
        JsonElement loss = first.RootElement.GetProperty("loss");
        Assert.Equal(0.1362972, loss.GetProperty("seq_mean_token_mean").GetDouble(), 6);
        Assert.StartsWith(
            "ValueError", second.RootElement.GetProperty("error").GetString()!, StringComparison.Ordinal);
    }

    [Fact]
    public void WhatIsNotFiniteIsAString()
    {
        string python = Python("numpy"), actual = _temporary.File("mine.json");
        Run(python, null, "my_loss_numpy.py", Path.Combine(Golden, "case_043_theta_extreme_r.json"), "--out", actual);
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(actual));
        JsonElement result = document.RootElement.GetProperty("cases")[0];
        Assert.Equal("Infinity", result.GetProperty("loss").GetProperty("token_sum").GetString());
    }

    private static Task<ToolRun> IcePop(params string[] arguments) => ToolRun.With(
        _ => throw new InvalidOperationException("nothing is verified here"), ["icepop", .. arguments]);

    // The product needs no Python; where a machine has none, these tests say so and are counted as skipped.
    private static string Python(string module)
    {
        lock (Found)
        {
            if (!Found.TryGetValue(module, out string? python))
            {
                python = new[] { "/usr/bin/python3", "python3", "python" }.FirstOrDefault(
                    candidate => Start(candidate, null, ["-c", $"import {module}"]) is { Code: 0 });
                Found[module] = python;
            }

            Assert.SkipWhen(python is null, $"not available: no Python 3 with {module} on this machine");
            return python!;
        }
    }

    private static string Run(string python, string? input, string script, params string[] arguments)
    {
        (int Code, string Output, string Error)? run =
            Start(python, input, [Path.Combine(Tools, script), .. arguments]);
        Assert.NotNull(run);
        Assert.True(run.Value.Code == 0, run.Value.Error);
        return run.Value.Output;
    }

    private static (int Code, string Output, string Error)? Start(
        string program, string? input, IReadOnlyList<string> arguments)
    {
        ProcessStartInfo start = new(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["PYTHONDONTWRITEBYTECODE"] = "1";
        try
        {
            using Process process = Process.Start(start)!;
            Task<string> output = process.StandardOutput.ReadToEndAsync();
            Task<string> error = process.StandardError.ReadToEndAsync();
            process.StandardInput.Write(input);
            process.StandardInput.Close();
            process.WaitForExit();
            return (process.ExitCode, output.Result, error.Result);
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }
}
