using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.Json;
using ILGPU.Runtime.Cuda;
using RingFlash.Reference.Benchmarks;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;

namespace RingFlash.Devices;

/// <summary>Every check and every benchmark of a card, one after the other, in one report.</summary>
internal sealed class DeviceReport(ReportOptions options, TextWriter output)
{
    private const int WithinBudget = 0, OverBudget = 1, BadUsage = 2, NoCard = 5;
    private const int Lead = 34;

    private static readonly JsonSerializerOptions Indented =
        new() { WriteIndented = true, PropertyNamingPolicy = JsonNamingPolicy.CamelCase };

    private readonly Dictionary<string, string> device = [];
    private readonly List<ReportSection> sections = [];

    /// <summary>Runs.</summary>
    /// <returns>0 all passed · 1 something did not · 2 wrong usage · 5 no card.</returns>
    public int Run()
    {
        foreach (string missing in options.Missing())
        {
            Console.Error.WriteLine(missing);
            return BadUsage;
        }

        output.WriteLine($"ringflash device report, {DateTime.UtcNow.ToString("u", CultureInfo.InvariantCulture)}");
        if (!options.IsRehearsal && KernelHost.WhyNoCuda() is string reason)
        {
            output.WriteLine($"not run on a GPU: {reason}");
            output.WriteLine("nothing was checked and nothing was timed");
            Save(reason);
            return NoCard;
        }

        using (KernelHost host = KernelHost.Open(options.Engine))
        {
            Describe(host);
            DeviceCeilings ceilings = new(host, options.IsRehearsal);
            MeasuredCeilings limits = Section(
                "ceilings", () => MeasuredCeilings.Measure(ceilings, options.IsRehearsal), measured => measured.Section)
                ?? new MeasuredCeilings(1, 1, 1, new ReportSection("ceilings", false, [], []));
            if (options.Tests is not null)
            {
                Section("tests", () => TestRun.Start(options), section => section);
            }

            Section("goldens within budget", () => GoldenRuns.Verify(options), section => section);
            Section(
                "bits of vector512 on the goldens", () => GoldenRuns.CompareBits(options, host), section => section);
            using KernelBenchmarks kernels = new(host, ceilings, limits, options.IsRehearsal);
            Section("kernels", kernels.Run, section => section);
            ModelBenchmarks models = new(host, limits, options.IsRehearsal);
            Section("model, bf16", () => models.Run(fp8: false), section => section);
            Section("model, FP8", () => models.Run(fp8: true), section => section);
        }

        bool passed = sections.All(section => section.Passed);
        output.WriteLine();
        output.WriteLine(passed ? "everything that ran passed" : "FAILED: "
            + string.Join(", ", sections.Where(section => !section.Passed).Select(section => section.Name)));
        if (options.IsRehearsal)
        {
            output.WriteLine("not run on a GPU: a rehearsal on ILGPU's CPU accelerator, small sizes, no time kept");
        }

        Save(options.IsRehearsal ? "a rehearsal on ILGPU's CPU accelerator" : null);
        return passed ? WithinBudget : OverBudget;
    }

    private void Describe(KernelHost host)
    {
        device["name"] = host.Accelerator.Name;
        if (host.Accelerator is CudaAccelerator cuda)
        {
            device["memory"] = string.Create(
                CultureInfo.InvariantCulture, $"{cuda.MemorySize / (double)(1L << 30):F1} GiB");
            device["multiprocessors"] = cuda.NumMultiprocessors.ToString(CultureInfo.InvariantCulture);
            device["architecture"] = cuda.Architecture.ToString() ?? "unknown";
            device["driver (CUDA)"] = cuda.DriverVersion.ToString() ?? "unknown";
            device["driver (NVIDIA)"] = File.Exists("/proc/driver/nvidia/version")
                ? File.ReadLines("/proc/driver/nvidia/version").First()
                : "unknown";
        }

        foreach ((string key, string value) in device)
        {
            output.WriteLine($"  {key,-18}{value}");
        }
    }

    /// <summary>Runs a part; what it throws is its result, and the rest of the report goes on.</summary>
    private T? Section<T>(string name, Func<T> run, Func<T, ReportSection> toSection)
        where T : class
    {
        T? result = null;
        ReportSection section;
        try
        {
            result = run();
            section = toSection(result);
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            section = new ReportSection(name, false, [.. exception.ToString().Split(Environment.NewLine).Take(6)], []);
        }

        sections.Add(section);
        output.WriteLine();
        output.WriteLine($"{name}: {(section.Passed ? "passed" : "FAILED")}");
        foreach (string line in section.Lines)
        {
            output.WriteLine("  " + line);
        }

        foreach (Measurement measured in section.Measurements)
        {
            output.WriteLine(Line(measured));
        }

        output.Flush();
        return result;
    }

    private static string Line(Measurement measured)
    {
        string name = $"  {measured.Name,-Lead}{measured.Size,-22}";
        if (measured.Seconds is not double seconds)
        {
            return name + measured.Check;
        }

        string rate = measured.Rate is double value
            ? string.Create(CultureInfo.InvariantCulture, $"{value,10:G4} {measured.Unit}")
            : string.Empty;
        string share = measured.OfFloor is double part
            ? string.Create(CultureInfo.InvariantCulture, $"{part,6:F2} of {measured.Floor}")
            : string.Empty;
        return string.Create(CultureInfo.InvariantCulture, $"{name}{seconds * 1e6,11:F1} us") + share + rate
            + "  " + measured.Check;
    }

    private void Save(string? whyNoGpu)
    {
        if (options.Json is null)
        {
            return;
        }

        byte[] bytes = JsonSerializer.SerializeToUtf8Bytes(
            new { RanOnGpu = whyNoGpu is null, WhyNot = whyNoGpu, Device = device, Sections = sections }, Indented);
        AtomicFile.Write(Path.GetFullPath(options.Json), stream => stream.Write(bytes));
    }
}

/// <summary>What the device can do at most.</summary>
/// <param name="BytesPerSecond">Copied bytes, read and written.</param>
/// <param name="FusedPerSecond">Operations of fused multiply-adds.</param>
/// <param name="MatrixPerSecond">Operations of tensor cores.</param>
/// <param name="Section">The same for the report.</param>
internal sealed record MeasuredCeilings(
    double BytesPerSecond, double FusedPerSecond, double MatrixPerSecond, ReportSection Section)
{
    /// <summary>Measures.</summary>
    /// <param name="ceilings">The device.</param>
    /// <param name="isRehearsal">Whether no time is kept.</param>
    /// <returns>The limits; 1 each in a rehearsal.</returns>
    public static MeasuredCeilings Measure(DeviceCeilings ceilings, bool isRehearsal)
    {
        List<Measurement> measurements = [];
        double Rate(string name, (double[] Seconds, double Amount) run, double unit, string word)
        {
            double median = run.Seconds[run.Seconds.Length / 2], rate = run.Amount / median;
            measurements.Add(isRehearsal
                ? new Measurement(name, "", "ran", null, null, null, "", null, null, "")
                : new Measurement(
                    name, "", "", median, run.Seconds[run.Seconds.Length / 4], run.Seconds[run.Seconds.Length * 3 / 4],
                    "", null, rate / unit, word));
            return isRehearsal ? 1 : rate;
        }

        double bytes = Rate("copy inside the device", ceilings.Copy(), 1e9, "GB/s");
        double fused = Rate("float32 fused multiply-adds", ceilings.FusedMultiplyAdds(), 1e12, "Tflop/s");
        double matrices = Rate("bf16 mma.sync", ceilings.MatrixProducts(), 1e12, "Tflop/s");
        return new MeasuredCeilings(bytes, fused, matrices, new ReportSection("ceilings", true, [], measurements));
    }
}
