using System;
using System.IO;

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
            case ["decode"]:
                return DecodeBenchmark.Run();
            case ["experts"]:
                return ExpertsBenchmark.Run();
            case ["gemm", ..]:
                return GemmBenchmark.Run(args[1..]);
            case ["synth", ..]:
                return SynthBenchmark.Run(args.Length > 1 ? args[1] : Path.GetTempPath());
            case ["attention", ..]:
                return AttentionBenchmark.Run(args.Length > 1 ? args[1] : "python3");
            case ["elementwise", ..]:
                return ElementwiseBenchmark.Run(args.Length > 1 ? args[1] : "python3");
            case ["tokenizer", string tokenizer, ..]:
                return TokenizerBenchmark.Run(
                    tokenizer, args.Length > 2 ? args[2] : "node", args[Math.Min(3, args.Length)..]);
            default:
                Console.Error.WriteLine("usage: dotnet run -c Release --project tools/Benchmarks -- WORD");
                Console.Error.WriteLine("  objective [PYTHON-WITH-TORCH]");
                Console.Error.WriteLine("  gemm [bf16] [f32] [fp8]");
                Console.Error.WriteLine("  decode");
                Console.Error.WriteLine("  experts");
                Console.Error.WriteLine("  synth [FOLDER-ON-THE-DISK-TO-MEASURE]");
                Console.Error.WriteLine("  attention [PYTHON-WITH-TORCH]");
                Console.Error.WriteLine("  elementwise [PYTHON-WITH-TORCH]");
                Console.Error.WriteLine("  tokenizer TOKENIZER.json [NODE [TEXT-FILE…]]");
                return 2;
        }
    }
}
