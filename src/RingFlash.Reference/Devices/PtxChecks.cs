using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.RegularExpressions;

namespace RingFlash.Reference.Devices;

/// <summary>What a kernel's text must not hold, and what it must; all without a GPU.</summary>
public static partial class PtxChecks
{
    /// <summary>The faults of a text, one line each.</summary>
    /// <param name="ptx">The corrected PTX.</param>
    /// <param name="declared">What the kernel says of itself.</param>
    /// <returns>Empty when there is none.</returns>
    public static IReadOnlyList<string> Faults(string ptx, KernelAttribute declared)
    {
        ArgumentNullException.ThrowIfNull(ptx);
        ArgumentNullException.ThrowIfNull(declared);
        List<string> faults = [];
        Forbid(faults, ExternalFunction(), ptx, "an unresolved function");
        Forbid(faults, Approximate(), ptx, "an approximate instruction");
        Forbid(faults, FlushToZero(), ptx, "subnormals flushed to zero");
        Forbid(faults, Contractible(), ptx, "a sum or product that may be contracted");
        Forbid(faults, IntegerDivision(), ptx, "an integer division");
        Forbid(faults, UniformPredicated(), ptx, "a predicated branch marked uniform");
        if (!declared.Float64)
        {
            Forbid(faults, Double(), ptx, "float64");
        }

        if (!declared.LocalMemory)
        {
            Forbid(faults, LocalDepot(), ptx, "local memory");
        }

        Require(faults, ptx, $".target {PtxPatch.Target}");
        Require(faults, ptx, $".maxntid {declared.MaximumThreads}, 1, 1");
        int loads = CountVectorLoads(ptx), matrices = CountMatrixInstructions(ptx);
        if (declared.VectorLoads >= 0 && loads != declared.VectorLoads)
        {
            faults.Add($"{loads} loads of 16 bytes, {declared.VectorLoads} declared");
        }

        if (matrices != declared.MatrixInstructions)
        {
            faults.Add($"{matrices} tensor core instructions, {declared.MatrixInstructions} declared");
        }

        int pieces = MatrixLoad().Count(ptx);
        if (!declared.MatrixLoads.Contains(pieces))
        {
            faults.Add($"{pieces} loads of matrix pieces, {string.Join(" or ", declared.MatrixLoads)} declared");
        }

        int copies = AsynchronousCopy().Count(ptx);
        if (copies != declared.AsynchronousCopies)
        {
            faults.Add($"{copies} copies past the registers, {declared.AsynchronousCopies} declared");
        }

        return faults;
    }

    /// <summary>The number of 16-byte loads from global memory.</summary>
    /// <param name="ptx">The text.</param>
    /// <returns>The number.</returns>
    public static int CountVectorLoads(string ptx) => VectorLoad().Count(ptx);

    /// <summary>The number of tensor core instructions.</summary>
    /// <param name="ptx">The text.</param>
    /// <returns>The number.</returns>
    public static int CountMatrixInstructions(string ptx) => MatrixInstruction().Count(ptx);

    private static void Forbid(List<string> faults, Regex pattern, string ptx, string what) =>
        faults.AddRange(pattern.Matches(ptx).Take(1).Select(match => $"{what}: {LineAround(ptx, match.Index)}"));

    private static void Require(List<string> faults, string ptx, string text)
    {
        if (!ptx.Contains(text, StringComparison.Ordinal))
        {
            faults.Add($"no '{text}'");
        }
    }

    private static string LineAround(string text, int index)
    {
        int start = text.LastIndexOf('\n', index) + 1, end = text.IndexOf('\n', index);
        return text[start..(end < 0 ? text.Length : end)].Trim();
    }

    [GeneratedRegex(@"\.extern\s+\.func")]
    private static partial Regex ExternalFunction();

    [GeneratedRegex(@"\.approx\b")]
    private static partial Regex Approximate();

    [GeneratedRegex(@"\.ftz\b")]
    private static partial Regex FlushToZero();

    [GeneratedRegex(@"\b(mul|add|sub)\.(f32|f64)\b|\bmad\.(\w+\.)?f(32|64)\b")]
    private static partial Regex Contractible();

    [GeneratedRegex(@"\b(div|rem)\.[su]\d+\b")]
    private static partial Regex IntegerDivision();

    [GeneratedRegex(@"@!?%p\d+\s+bra\.uni\b")]
    private static partial Regex UniformPredicated();

    [GeneratedRegex(@"\.f64\b")]
    private static partial Regex Double();

    [GeneratedRegex(@"\.local\b")]
    private static partial Regex LocalDepot();

    [GeneratedRegex(@"\bld\.global(\.nc)?(\.L1::no_allocate)?\.v4\.[fbu]32\b")]
    private static partial Regex VectorLoad();

    [GeneratedRegex(@"\bmma\.sync\.")]
    private static partial Regex MatrixInstruction();

    [GeneratedRegex(@"\bldmatrix\.sync\.")]
    private static partial Regex MatrixLoad();

    [GeneratedRegex(@"\bcp\.async\.cg\.")]
    private static partial Regex AsynchronousCopy();
}
