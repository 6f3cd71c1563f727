// Red means: the same code gives other bits on a processor with other vector instructions.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;
using Xunit;

namespace RingFlash.Reference.Tests.Model;

/// <summary>
/// The runtime decides about instruction sets when it starts, so each one needs a process: RingFlash.BitsProbe prints
/// what it may use and hashes of what it computes.
/// </summary>
public sealed class InstructionSets
{
    private static readonly Lazy<Report> Native = new(() => Report.Of());

    [Fact]
    public void Avx512_and_Avx2_give_the_same_bits()
    {
        Assert.SkipUnless(Native.Value.Flag("Avx512F"), "not available: this processor has no AVX-512");
        Report report = Report.Of(("DOTNET_EnableAVX512", "0"));
        Assert.False(report.Flag("Avx512F"));
        Assert.False(report.Flag("Vector512.IsHardwareAccelerated"));
        Assert.True(report.Flag("Avx2"));
        Native.Value.AssertSameBits(report);
    }

    [Fact]
    public void Avx512_without_its_byte_instructions_gives_the_same_bits()
    {
        // Panels of e4m3 codes lie in another order where one instruction cannot take them apart.
        Assert.SkipUnless(Native.Value.Flag("Avx512Vbmi"), "not available: this processor has no AVX-512 VBMI");
        Report report = Report.Of(("DOTNET_EnableAVX512v2", "0"));
        Assert.False(report.Flag("Avx512Vbmi"));
        Assert.True(report.Flag("Avx512F"));
        Assert.True(report.Flag("Vector512.IsHardwareAccelerated"));
        Native.Value.AssertSameBits(report);
    }

    [Fact]
    public void No_intrinsics_at_all_give_the_same_bits()
    {
        Assert.SkipUnless(Native.Value.Flag("Avx2"), "not available: this processor has no AVX2");
        Report report = Report.Of(("DOTNET_EnableHWIntrinsic", "0"));
        Assert.False(report.Flag("Avx2"));
        Assert.False(report.Flag("Vector256.IsHardwareAccelerated"));
        Native.Value.AssertSameBits(report);
    }

    private sealed class Report
    {
        private readonly Dictionary<string, bool> flags = [];
        private readonly List<string> hashes = [];

        public static Report Of(params (string Name, string Value)[] switches)
        {
            string[] folders = AppContext.BaseDirectory.TrimEnd('/', '\\').Split('/', '\\');
            string probe = Path.Combine(
                RepositoryRoot.Path,
                "tests/RingFlash.BitsProbe/bin",
                folders[^2],
                folders[^1],
                "RingFlash.BitsProbe.dll");
            Assert.True(File.Exists(probe), $"{probe} is missing: build the solution first");
            string host = OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet";
            string dotnet = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "../../..", host));
            ProcessStartInfo start = new(dotnet, [probe])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            };
            foreach (string name in start.Environment.Keys.Where(key => key.Contains("_Enable")).ToArray())
            {
                start.Environment.Remove(name); // a switch set outside would make the native run something else
            }

            foreach ((string name, string value) in switches)
            {
                start.Environment[name] = value;
            }

            using Process process = Process.Start(start)!;
            System.Threading.Tasks.Task<string> errors = process.StandardError.ReadToEndAsync();
            string output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            Assert.True(process.ExitCode == 0, $"the probe ended with {process.ExitCode}: {errors.Result}");
            Report report = new();
            const StringSplitOptions Tidy = StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries;
            foreach (string line in output.Split('\n', Tidy))
            {
                if (line.Split(' ') is ["flag", string flag, string value])
                {
                    report.flags.Add(flag, bool.Parse(value));
                }
                else
                {
                    report.hashes.Add(line);
                }
            }

            return report;
        }

        public bool Flag(string name) => flags[name];

        public void AssertSameBits(Report other)
        {
            Assert.True(hashes.Count >= 29, $"the probe printed {hashes.Count} hashes");
            Assert.Equal(hashes, other.hashes);
        }
    }
}
