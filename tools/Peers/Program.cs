using System;
using RingFlash.Reference.Numerics;

namespace RingFlash.Peers;

/// <summary>
/// Our paths beside what a user would pick instead, in one process and in alternation. The peers are no dependency of
/// the product: this project is outside the solution.
/// </summary>
internal static class Program
{
    private const int Threads = 2;

    private static int Main(string[] args)
    {
        Console.WriteLine(TorchLibrary.Load(Threads));
        OpenBlas.TryLoad(Threads, out string openBlas);
        Console.WriteLine(openBlas);
        using WorkerPool workers = new(Threads);
        switch (args)
        {
            case ["objective"]:
                return ObjectivePeer.Run(workers);
            default:
                Console.Error.WriteLine("usage: dotnet run -c Release --project tools/Peers -- objective");
                return 2;
        }
    }
}
