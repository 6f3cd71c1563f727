// Red here means that a user who hands verify a damaged or missing file gets a stack trace, several lines, or the wrong
// code.
using System;
using System.IO;
using System.Threading.Tasks;
using RingFlash.Cli;
using RingFlash.Reference.Tests.Checkpoint;
using RingFlash.Reference.Verification;
using Xunit;

namespace RingFlash.Reference.Tests.Cli;

/// <summary>The whole way from a file on disk to one line and an exit code, with the real verifier.</summary>
public sealed class EndToEndTests
{
    /// <summary>Rows of the bad inputs by number, as far as a golden case can hold them.</summary>
    public static TheoryData<string, string, int, string> Damages => new()
    {
        { "golden.safetensors", "short", ExitCodes.BadInput, "header length" },
        { "golden.safetensors", "huge length", ExitCodes.BadInput, "header" },
        { "golden.safetensors", "truncated", ExitCodes.BadInput, "bytes" },
        { "golden.safetensors", "git lfs", ExitCodes.BadInput, "git lfs pull" },
        { "golden.safetensors", "html", ExitCodes.BadInput, "HTML" },
        { "golden.safetensors", "missing", ExitCodes.Environment, "no such file" },
        { "config.json", "trailing comma", ExitCodes.BadInput, "line" },
        { "config.json", "duplicate key", ExitCodes.BadInput, "hidden_size" },
        { "config.json", "experts do not divide", ExitCodes.BadInput, "n_group" },
        { "config.json", "other model", ExitCodes.BadInput, "llama" },
        { "config.json", "missing", ExitCodes.Environment, "no such file" },
        { "case.json", "trailing comma", ExitCodes.BadInput, "line" },
        { "case.json", "missing", ExitCodes.Environment, "no golden case" },
    };

    [Theory]
    [MemberData(nameof(Damages))]
    public async Task DamageIsOneLineAndTheRightCode(string file, string damage, int code, string rule)
    {
        using TemporaryFolder temporary = new();
        string folder = Path.Combine(temporary.Path, "case");
        Directory.CreateDirectory(folder);
        foreach (string source in Directory.GetFiles(Path.Combine(RepositoryRoot.Golden, "tiny-f32")))
        {
            File.Copy(source, Path.Combine(folder, Path.GetFileName(source)));
        }

        Break(Path.Combine(folder, file), damage);
        ToolRun run = await ToolRun.With(options => Verifier.Run(options), "verify", folder);
        Assert.Equal(code, run.Code);
        string line = run.Error.TrimEnd('\n', '\r');
        Assert.StartsWith("ringflash: ", line, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', line);
        Assert.DoesNotContain("   at ", line, StringComparison.Ordinal);
        Assert.Contains(rule, line, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task AGoodCaseIsZeroAndBeginsWithTheVerdict()
    {
        ToolRun run = await ToolRun.With(
            options => Verifier.Run(options),
            "verify",
            Path.Combine(RepositoryRoot.Golden, "tiny-f32"),
            "--engine",
            "scalar,vector512");
        Assert.Equal(ExitCodes.WithinBudget, run.Code);
        Assert.StartsWith("PASSED: ", run.Output, StringComparison.Ordinal);
        Assert.Empty(run.Error);
    }

    [Fact]
    public async Task NothingComparedIsNotZero()
    {
        ToolRun run = await ToolRun.With(
            options => Verifier.Run(options), "verify", Path.Combine(RepositoryRoot.Golden, "tiny-grad-f32"));
        Assert.Equal(ExitCodes.OverBudget, run.Code);
        Assert.StartsWith("NOT CHECKED", run.Output, StringComparison.Ordinal);
    }

    private static void Break(string path, string damage)
    {
        switch (damage)
        {
            case "missing":
                File.Delete(path);
                break;
            case "short":
                File.WriteAllBytes(path, [1, 2, 3]);
                break;
            case "huge length":
                byte[] bytes = File.ReadAllBytes(path);
                bytes[7] = 0x7F;
                File.WriteAllBytes(path, bytes);
                break;
            case "truncated":
                File.WriteAllBytes(path, File.ReadAllBytes(path)[..^1000]);
                break;
            case "git lfs":
                File.WriteAllText(path, "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n");
                break;
            case "html":
                File.WriteAllText(path, "<!DOCTYPE html><html><body>log in</body></html>");
                break;
            case "trailing comma":
                File.WriteAllText(path, File.ReadAllText(path).TrimEnd().TrimEnd('}') + ",}");
                break;
            case "duplicate key":
                Replace(path, "\"hidden_size\": 64", "\"hidden_size\": 64, \"hidden_size\": 128");
                break;
            case "experts do not divide":
                Replace(path, "\"n_group\": 4", "\"n_group\": 3");
                break;
            case "other model":
                Replace(path, "\"model_type\": \"bailing_moe\"", "\"model_type\": \"llama\"");
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(damage), damage, "unknown damage");
        }
    }

    private static void Replace(string path, string text, string replacement)
    {
        string before = File.ReadAllText(path);
        string after = before.Replace(text, replacement, StringComparison.Ordinal);
        Assert.NotEqual(before, after);
        File.WriteAllText(path, after);
    }
}
