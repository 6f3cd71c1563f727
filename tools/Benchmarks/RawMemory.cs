using System;
using System.Runtime.Intrinsics;
using RingFlash.Reference.Benchmarks;
using RingFlash.Reference.Numerics;

namespace RingFlash.Benchmarks;

/// <summary>What the memory allows: reading and copying with nothing computed.</summary>
internal static unsafe class RawMemory
{
    private const int Piece = 64;

    /// <summary>Reads.</summary>
    /// <param name="workers">The threads.</param>
    /// <param name="memory">A multiple of 64 floats, each read once.</param>
    public static void Read(WorkerPool workers, ReadOnlySpan<float> memory)
    {
        fixed (float* pointer = memory)
        {
            nint address = (nint)pointer;
            workers.Run(memory.Length / Piece, (first, end, _) =>
                MachineCeilings.Sum(
                    (float*)address + ((long)first * Piece), (float*)address + ((long)end * Piece)));
        }
    }

    /// <summary>Reads some arrays and writes one.</summary>
    /// <param name="workers">The threads.</param>
    /// <param name="sources">Read once; multiples of 64 floats, the first at least as long as the destination.</param>
    /// <param name="destination">A multiple of 64 floats, written once from the start of the first source.</param>
    public static void Move(WorkerPool workers, float[][] sources, float[] destination)
    {
        for (int index = 1; index < sources.Length; index++)
        {
            Read(workers, sources[index]);
        }

        Read(workers, sources[0].AsSpan(destination.Length));
        fixed (float* from = sources[0], to = destination)
        {
            nint fromAddress = (nint)from, toAddress = (nint)to;
            workers.Run(destination.Length / Piece, (first, end, _) =>
            {
                float* last = (float*)fromAddress + ((long)end * Piece);
                float* y = (float*)toAddress + ((long)first * Piece);
                for (float* x = (float*)fromAddress + ((long)first * Piece); x < last; x += Piece, y += Piece)
                {
                    Vector512.Load(x).Store(y);
                    Vector512.Load(x + 16).Store(y + 16);
                    Vector512.Load(x + 32).Store(y + 32);
                    Vector512.Load(x + 48).Store(y + 48);
                }
            });
        }
    }
}
