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
        Placement.KeepPages();
        Console.WriteLine(TorchLibrary.Load(Threads));
        bool openBlas = OpenBlas.TryLoad(Threads, out string description);
        Console.WriteLine(description);
        WorkerPool? workers = null;

        // Its worker starts where Fix lets the others' workers start.
        Placement.Fix(() => workers = new WorkerPool(Threads));
        using (workers)
        {
            switch (args)
            {
                case ["products"]:
                    return ProductPeer.Run(workers!, openBlas);
                case ["experts"]:
                    return ExpertsPeer.Run(workers!);
                case ["elementwise"]:
                    return ElementwisePeer.Run(workers!);
                case ["attention"]:
                    return AttentionPeer.Run(workers!);
                case ["objective"]:
                    return ObjectivePeer.Run(workers!);
                default:
                    Console.Error.WriteLine(
                        "usage: dotnet run -c Release --project tools/Peers -- "
                        + "products|experts|attention|elementwise|objective");
                    return 2;
            }
        }
    }
}
