using System;

namespace RingFlash.Benchmarks;

/// <summary>
/// Speed against a physical limit or a named peer, as ratios of rounds that ran side by side. Every benchmark first
/// checks what it is about to time and refuses to time a path whose check failed.
/// </summary>
internal static class Program
{
    private static int Main(string[] args)
    {
        switch (args)
        {
            case ["objective", ..]:
                return ObjectiveBenchmark.Run(args.Length > 1 ? args[1] : "python3");
            case ["experts"]:
                return ExpertsBenchmark.Run();
            case ["gemm", ..]:
                return GemmBenchmark.Run(args[1..]);
            case ["attention", ..]:
                return AttentionBenchmark.Run(args.Length > 1 ? args[1] : "python3");
            case ["elementwise", ..]:
                return ElementwiseBenchmark.Run(args.Length > 1 ? args[1] : "python3");
            default:
                Console.Error.WriteLine(
                    "usage: dotnet run -c Release --project tools/Benchmarks -- "
                    + "objective|attention|elementwise [PYTHON-WITH-TORCH]\n"
                    + "                                                         gemm [bf16] [f32] [fp8]\n"
                    + "                                                         experts");
                return 2;
        }
    }
}
