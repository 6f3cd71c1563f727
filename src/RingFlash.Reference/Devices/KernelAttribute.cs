using System;

namespace RingFlash.Reference.Devices;

/// <summary>
/// Marks a device kernel, so that the compile-time checks and the listing find it; there is no other registry.
/// </summary>
/// <remarks>
/// A generic kernel is compiled once for every struct of the library that fits its constraint, so all precision
/// policies and weight formats are checked. What is declared here is what the checks hold the PTX to.
/// </remarks>
[AttributeUsage(AttributeTargets.Method)]
public sealed class KernelAttribute : Attribute
{
    /// <summary>The most threads of a group (<c>.maxntid</c>); it bounds the registers of a thread.</summary>
    public int MaximumThreads { get; init; } = 256;

    /// <summary>Loads of 16 bytes from global memory in the text, per closed kernel; −1 for any number.</summary>
    public int VectorLoads { get; init; } = -1;

    /// <summary>Tensor core instructions (<c>mma.sync</c>) in the text.</summary>
    public int MatrixInstructions { get; init; }

    /// <summary>
    /// Loads of matrix pieces from shared memory (<c>ldmatrix</c>) in the text; several numbers where type arguments
    /// differ in it.
    /// </summary>
    public int[] MatrixLoads { get; init; } = [0];

    /// <summary>Copies from global to shared memory past the registers (<c>cp.async</c>) in the text.</summary>
    public int AsynchronousCopies { get; init; }

    /// <summary>Whether local memory is meant: a naive kernel that is there to be read may index an array.</summary>
    public bool LocalMemory { get; init; }

    /// <summary>Whether float64 is meant.</summary>
    public bool Float64 { get; init; }
}
