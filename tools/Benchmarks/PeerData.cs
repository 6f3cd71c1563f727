using System;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;

namespace RingFlash.Benchmarks;

/// <summary>Inputs and our output as raw float32 in a temporary folder, for a peer that first compares.</summary>
internal sealed class PeerData : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("ringflash-peer-").FullName;

    /// <summary>Writes the files.</summary>
    /// <param name="arrays">Names and contents.</param>
    public PeerData(params (string Name, float[] Values)[] arrays)
    {
        foreach ((string name, float[] values) in arrays)
        {
            File.WriteAllBytes(Path.Combine(folder, name + ".f32"), MemoryMarshal.AsBytes(values.AsSpan()));
        }
    }

    /// <summary>Starts libtorch on them; it has read them when this returns.</summary>
    /// <param name="python">The interpreter.</param>
    /// <param name="name">The operator.</param>
    /// <param name="sizes">Its sizes.</param>
    /// <returns>The peer, or null when there is none or it does not agree.</returns>
    public ScriptPeer? Start(string python, string name, params int[] sizes) => ScriptPeer.Start(
        python,
        "torch_operators.py",
        [folder, name, .. sizes.Select(size => size.ToString(CultureInfo.InvariantCulture))]);

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(folder, recursive: true);
}
