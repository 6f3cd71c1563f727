using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using RingFlash.Reference.Devices;

namespace RingFlash.Devices;

/// <summary>The kernels of the library, found by their attribute and compiled to PTX.</summary>
internal static class KernelListing
{
    private const int NameWidth = 34;
    private const int NumberWidth = 6;

    /// <summary>The kernels whose name contains a text.</summary>
    /// <param name="part">The text; upper and lower case do not matter.</param>
    /// <returns>The kernels.</returns>
    public static IReadOnlyList<KernelEntry> Find(string part) =>
        [.. KernelCatalogue.Of(typeof(KernelHost).Assembly)
            .Where(kernel => kernel.Name.Contains(part, StringComparison.OrdinalIgnoreCase))];

    /// <summary>Prints a table.</summary>
    /// <param name="part">A part of a name.</param>
    /// <param name="output">Where to.</param>
    /// <returns>The exit code.</returns>
    public static int List(string part, TextWriter output)
    {
        IReadOnlyList<KernelEntry> kernels = Find(part);
        if (kernels.Count == 0)
        {
            return None(part);
        }

        output.WriteLine(new string(' ', NameWidth) + Line(PtxText.Columns));
        foreach (KernelEntry kernel in kernels)
        {
            IReadOnlyList<int> counts = new PtxText(PtxCompiler.Compile(kernel)).Counts();
            string numbers = Line([.. counts.Select(count => count.ToString(CultureInfo.InvariantCulture))]);
            if (kernel.Name.Length >= NameWidth)
            {
                output.WriteLine(kernel.Name);
            }

            output.WriteLine((kernel.Name.Length >= NameWidth ? "" : kernel.Name).PadRight(NameWidth) + numbers);
        }

        output.WriteLine();
        output.WriteLine($"{kernels.Count} kernels. b32 … pred: virtual registers, which the driver maps to fewer;");
        output.WriteLine("ld16: loads of 16 bytes, ld: other loads from global memory, st: stores to it;");
        output.WriteLine("mma: tensor core instructions; ldm: ldmatrix; copy: cp.async; bar: barriers;");
        output.WriteLine("lines: instructions in the text");
        return 0;
    }

    /// <summary>Prints texts.</summary>
    /// <param name="part">A part of a name.</param>
    /// <param name="output">Where to.</param>
    /// <returns>The exit code.</returns>
    public static int Show(string part, TextWriter output)
    {
        IReadOnlyList<KernelEntry> kernels = Find(part);
        foreach (KernelEntry kernel in kernels)
        {
            output.WriteLine($"// {kernel.Name}");
            output.WriteLine(new PtxText(PtxCompiler.Compile(kernel)).Readable());
        }

        return kernels.Count == 0 ? None(part) : 0;
    }

    /// <summary>Writes texts to files.</summary>
    /// <param name="folder">Where to.</param>
    /// <param name="output">Told how many.</param>
    /// <returns>The exit code.</returns>
    public static int Write(DirectoryInfo folder, TextWriter output)
    {
        IReadOnlyList<KernelEntry> kernels = Find(string.Empty);
        foreach (KernelEntry kernel in kernels)
        {
            string file = kernel.Name.Replace('<', '-').Replace(", ", "-", StringComparison.Ordinal).TrimEnd('>');
            File.WriteAllText(Path.Combine(folder.FullName, file + ".ptx"), PtxCompiler.Compile(kernel));
        }

        output.WriteLine($"{kernels.Count} kernels in {folder.FullName}");
        return 0;
    }

    private static int None(string part)
    {
        Console.Error.WriteLine($"no kernel has '{part}' in its name");
        return 2;
    }

    private static string Line(IReadOnlyList<string> cells) =>
        string.Concat(cells.Select(cell => cell.PadLeft(NumberWidth + (cell.Length > NumberWidth ? 1 : 0))));
}
