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
            default:
                Console.Error.WriteLine(Usage);
                return 2;
        }
    }
}
