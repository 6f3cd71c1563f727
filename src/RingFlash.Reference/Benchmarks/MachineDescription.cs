using System;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace RingFlash.Reference.Benchmarks;

/// <summary>What must stand beside a figure so that it can be compared with another one.</summary>
/// <param name="Processor">The model's name, as the system gives it.</param>
/// <param name="LogicalProcessors">How many this process may use.</param>
/// <param name="InstructionSet">What <c>Vector512</c> runs on here.</param>
/// <param name="LastLevelCacheBytes">The largest cache; <see cref="AssumedCache"/> where the system does not
/// say.</param>
/// <param name="Runtime">The .NET version.</param>
/// <param name="OperatingSystem">Its name and version.</param>
/// <param name="Date">When, in universal time.</param>
public sealed record MachineDescription(
    string Processor,
    int LogicalProcessors,
    string InstructionSet,
    long LastLevelCacheBytes,
    string Runtime,
    string OperatingSystem,
    DateTimeOffset Date)
{
    /// <summary>Larger than the last-level cache of most machines.</summary>
    public const long AssumedCache = 64L << 20;

    private const string CacheFolder = "/sys/devices/system/cpu/cpu0/cache";

    /// <summary>Looks at this machine.</summary>
    /// <returns>The description.</returns>
    public static MachineDescription Read() => new(
        ReadProcessor(),
        Environment.ProcessorCount,
        ReadInstructionSet(),
        ReadLastLevelCache(),
        RuntimeInformation.FrameworkDescription,
        $"{RuntimeInformation.OSDescription} {RuntimeInformation.OSArchitecture}",
        DateTimeOffset.UtcNow);

    /// <summary>Memory that can be taken without pushing anybody out.</summary>
    /// <returns>Bytes: the smaller of what the container allows and what the system has free.</returns>
    public static long AvailableMemory()
    {
        GCMemoryInfo info = GC.GetGCMemoryInfo();
        long allowed = info.TotalAvailableMemoryBytes - Environment.WorkingSet;
        string? line = File.Exists("/proc/meminfo")
            ? File.ReadLines("/proc/meminfo").FirstOrDefault(
                entry => entry.StartsWith("MemAvailable:", StringComparison.Ordinal))
            : null;
        string[] words = (line ?? string.Empty).Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return words.Length > 1 && long.TryParse(words[1], CultureInfo.InvariantCulture, out long kibibytes)
            ? Math.Min(allowed, kibibytes << 10)
            : allowed;
    }

    private static string ReadProcessor()
    {
        const string Key = "model name";
        string? line = File.Exists("/proc/cpuinfo")
            ? File.ReadLines("/proc/cpuinfo").FirstOrDefault(
                entry => entry.StartsWith(Key, StringComparison.Ordinal))
            : null;
        string name = line?[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim()
            ?? Environment.GetEnvironmentVariable("PROCESSOR_IDENTIFIER")
            ?? "unknown processor";
        if (!X86Base.IsSupported)
        {
            return name;
        }

        // Virtual machines hide the name but not the family: 26 is Zen 5, 25 Zen 3 and 4, 6 all of Intel's.
        int signature = X86Base.CpuId(1, 0).Eax;
        int family = ((signature >> 8) & 15) == 15 ? 15 + ((signature >> 20) & 255) : (signature >> 8) & 15;
        int model = ((signature >> 12) & 0xF0) | ((signature >> 4) & 15);
        return string.Create(CultureInfo.InvariantCulture, $"{name} (family {family}, model {model})");
    }

    private static string ReadInstructionSet() =>
        Avx512F.IsSupported && Vector512.IsHardwareAccelerated ? "AVX-512"
        : Avx2.IsSupported ? "AVX2"
        : System.Runtime.Intrinsics.Arm.AdvSimd.IsSupported ? "AdvSimd"
        : "no vectors";

    private static long ReadLastLevelCache()
    {
        if (!Directory.Exists(CacheFolder))
        {
            return AssumedCache;
        }

        long largest = 0;
        foreach (string index in Directory.EnumerateDirectories(CacheFolder, "index*"))
        {
            string file = Path.Combine(index, "size");
            string text = File.Exists(file) ? File.ReadAllText(file).Trim() : string.Empty; // e.g. 32768K
            if (text.EndsWith('K') && long.TryParse(text[..^1], CultureInfo.InvariantCulture, out long kibibytes))
            {
                largest = Math.Max(largest, kibibytes << 10);
            }
        }

        return largest > 0 ? largest : AssumedCache;
    }
}
