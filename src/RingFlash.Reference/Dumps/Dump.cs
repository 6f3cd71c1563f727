using System;
using System.Collections.Generic;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Dumps;

/// <summary>
/// Tensors that another program wrote: a file or a folder in one of the formats of this folder. Opening reads headers
/// only and checks them; values are read when they are asked for. Nothing in a file is ever executed, and nothing
/// outside the given path is read.
/// </summary>
public abstract class Dump : IDisposable
{
    /// <summary>The path as given.</summary>
    public abstract string Description { get; }

    /// <summary>The format in words, e.g. <c>safetensors</c>, <c>SGLang dumper</c>.</summary>
    public abstract string Format { get; }

    /// <summary>The tensors, in the order of the files; a name may come more than once.</summary>
    public abstract IReadOnlyList<DumpTensor> Tensors { get; }

    /// <summary>What lies there and was not read, and why; one line each.</summary>
    public abstract IReadOnlyList<string> Notes { get; }

    /// <summary>Opens a dump; its format is recognised by its content.</summary>
    /// <param name="path">A file or a folder.</param>
    /// <param name="options">What the dump cannot say about itself; nothing when null.</param>
    /// <returns>The open dump.</returns>
    /// <exception cref="InvalidInputException">A rule is broken, or the format is not one that is read.</exception>
    /// <exception cref="EnvironmentException">Something is missing or cannot be read.</exception>
    public static Dump Open(string path, DumpOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return DumpOpening.Open(path, options ?? new DumpOptions());
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Closes the files.</summary>
    /// <param name="disposing">Whether not from a finalizer.</param>
    protected virtual void Dispose(bool disposing)
    {
    }
}
