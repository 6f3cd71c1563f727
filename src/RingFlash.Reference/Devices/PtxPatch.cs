using System;
using System.Globalization;
using System.Numerics;
using System.Reflection;
using System.Text.RegularExpressions;
using ILGPU.Backends.PTX;

namespace RingFlash.Reference.Devices;

/// <summary>Corrects the PTX that ILGPU 1.5.3 writes; every kernel passes through here before it is loaded.</summary>
/// <remarks>
/// <para>Branches: at O2 ILGPU marks branches uniform (<c>bra.uni</c>) that are not, after loads from local memory,
/// atomics, intrinsics and calls; the driver's compiler believes it. <c>.uni</c> is removed from every predicated
/// branch.</para>
/// <para>Target: ILGPU writes sm_80 at most; sm_90 is needed for conversions from e4m3.</para>
/// <para>Alignment: ILGPU aligns dynamic shared memory like its elements; copies and matrices of 16 bytes need
/// more.</para>
/// <para>Contraction: <c>mul</c>, <c>add</c> and <c>sub</c> without a rounding word may be fused by the driver's
/// compiler; with <c>.rn</c> they may not, so a product is rounded before it is added, as on the CPU.</para>
/// <para>Division: neither ILGPU nor the driver's compiler makes a shift of an unsigned division by a power of two;
/// ILGPU writes one for the length of dynamic shared memory.</para>
/// </remarks>
public static partial class PtxPatch
{
    /// <summary>The architecture of the text.</summary>
    public const string Target = "sm_90";

    private const string Field = "<PTXAssembly>k__BackingField";

    private static readonly FieldInfo? Text =
        typeof(PTXCompiledKernel).GetField(Field, BindingFlags.NonPublic | BindingFlags.Instance);

    /// <summary>The corrected text.</summary>
    /// <param name="ptx">What ILGPU wrote.</param>
    /// <returns>What is loaded.</returns>
    /// <exception cref="InvalidOperationException">The text has no target line.</exception>
    public static string Apply(string ptx)
    {
        if (TargetLine().Count(ptx) != 1)
        {
            throw new InvalidOperationException(
                "ILGPU's PTX has no single .target line; is it another version than 1.5.3?");
        }

        string text = PredicatedUniform().Replace(ptx, "$1");
        text = TargetLine().Replace(text, ".target " + Target);
        text = DynamicShared().Replace(text, "${1}16$2");
        text = Contractible().Replace(text, "$1.rn.$2");
        return Division().Replace(text, division =>
        {
            uint by = uint.Parse(division.Groups[3].ValueSpan, CultureInfo.InvariantCulture);
            return BitOperations.IsPow2(by)
                ? $"shr.u32\t{division.Groups[1]}, {division.Groups[2]}, {BitOperations.Log2(by)};"
                : division.Value;
        });
    }

    /// <summary>Corrects a compiled kernel in place, before it is loaded.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <exception cref="InvalidOperationException">ILGPU keeps its text elsewhere than expected.</exception>
    public static void Apply(PTXCompiledKernel kernel)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        if (Text is null || Text.FieldType != typeof(string))
        {
            throw new InvalidOperationException(
                $"ILGPU {typeof(PTXCompiledKernel).Assembly.GetName().Version} has no field PTXCompiledKernel.{Field}; "
                + "the kernels cannot be corrected and are not loaded (1.5.3 is expected)");
        }

        Text.SetValue(kernel, Apply(kernel.PTXAssembly));
    }

    [GeneratedRegex(@"(@!?%p\d+\s+bra)\.uni\b")]
    private static partial Regex PredicatedUniform();

    [GeneratedRegex(@"(?m)^\.target\s+sm_\d+a?")]
    private static partial Regex TargetLine();

    [GeneratedRegex(@"(\.extern\s+\.shared\s+\.align\s+)\d+(\s+\.b8\s+__dyn_shared_alloca\b)")]
    private static partial Regex DynamicShared();

    [GeneratedRegex(@"\bdiv\.u32\s+(%r\d+), (%r\d+), (\d+);")]
    private static partial Regex Division();

    [GeneratedRegex(@"\b(mul|add|sub)\.(f32|f64)\b")]
    private static partial Regex Contractible();
}
