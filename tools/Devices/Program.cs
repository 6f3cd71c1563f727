using System;
using System.IO;

namespace RingFlash.Devices;

/// <summary>
/// The kernels, to be read; and everything that needs a card, in one report. <c>package.sh</c> beside this file makes
/// of it what a machine without .NET can run.
/// </summary>
internal static class Program
{
    private const string Usage = """
        usage: dotnet run -c Release --project tools/Devices -- WORD
          list [TEXT]          the kernels whose name contains TEXT: registers, loads, stores, matrices
          show TEXT            their PTX, as a driver is given it
          write FOLDER         the PTX of every kernel into files
          report               every check and every benchmark of the card in this machine; exit code 5 without one
            [--golden FOLDER] [--tests PROGRAM] [--json FILE]
            [--rehearse]       on ILGPU's CPU accelerator, small, no time kept: shows that the report itself works
        """;

    private static int Main(string[] args)
    {
        switch (args)
        {
            case ["list"]:
                return KernelListing.List(string.Empty, Console.Out);
            case ["list", string text]:
                return KernelListing.List(text, Console.Out);
            case ["show", string text]:
                return KernelListing.Show(text, Console.Out);
            case ["write", string folder]:
                return KernelListing.Write(Directory.CreateDirectory(folder), Console.Out);
            case ["report", ..] when ReportOptions.Parse(args.AsSpan(1)) is { } options:
                return new DeviceReport(options, Console.Out).Run();
            default:
                Console.Error.WriteLine(Usage);
                return 2;
        }
    }
}
