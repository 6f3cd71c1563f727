using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Text.RegularExpressions;

namespace RingFlash.Devices;

/// <summary>The tests of the kernels, with the card for the CPU accelerator, in their own process.</summary>
internal static partial class TestRun
{
    private const string DeviceVariable = "RINGFLASH_TEST_DEVICE";

    /// <summary>The test classes whose devices are those of <c>CpuDevice</c>.</summary>
    private static readonly string[] Classes = ["*Kernels", "*TensorCores", "*.SyntheticWeightsTests", "*.DeviceModel"];

    /// <summary>Runs them.</summary>
    /// <param name="options">Where they are; a rehearsal leaves them on the CPU accelerator and runs one class.</param>
    /// <returns>The totals, and the names of what failed.</returns>
    public static ReportSection Start(ReportOptions options)
    {
        ProcessStartInfo info = new(options.Tests!, ["-noColor"]) { RedirectStandardOutput = true };
        foreach (string name in options.IsRehearsal ? ["*.ResidualAddKernels"] : Classes)
        {
            info.ArgumentList.Add("-class");
            info.ArgumentList.Add(name);
        }

        info.Environment[DeviceVariable] = options.IsRehearsal ? "" : "cuda";
        using Process process = Process.Start(info)!;
        string[] lines = process.StandardOutput.ReadToEnd().Split('\n');
        process.WaitForExit();
        string total = lines.LastOrDefault(line => Total().IsMatch(line))?.Trim() ?? "no totals were printed";
        Match counts = Total().Match(total);
        bool any = counts.Success && counts.Groups["total"].Value != "0";
        List<string> report = [total, .. lines.Where(line => line.Contains("[FAIL]", StringComparison.Ordinal))];
        return new ReportSection("tests", process.ExitCode == 0 && any, report, []);
    }

    [GeneratedRegex(@"Total: (?<total>\d+), Errors: \d+, Failed: \d+")]
    private static partial Regex Total();
}
