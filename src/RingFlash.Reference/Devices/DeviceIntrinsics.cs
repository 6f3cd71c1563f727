using System;
using System.Linq;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Threading;
using ILGPU;
using ILGPU.Backends.PTX;
using ILGPU.Frontend.Intrinsic;
using ILGPU.IR;
using ILGPU.IR.Intrinsics;

namespace RingFlash.Reference.Devices;

/// <summary>Two float32: sums of two rows that go side by side.</summary>
/// <param name="X">The first.</param>
/// <param name="Y">The second.</param>
public record struct Float2(float X, float Y);

/// <summary>Sixteen bytes as four float32.</summary>
/// <param name="X">The first.</param>
/// <param name="Y">The second.</param>
/// <param name="Z">The third.</param>
/// <param name="W">The fourth.</param>
public record struct Float4(float X, float Y, float Z, float W);

/// <summary>Sixteen bytes as four words: 4 float32, 8 bfloat16 or 16 e4m3.</summary>
/// <param name="X">The first.</param>
/// <param name="Y">The second.</param>
/// <param name="Z">The third.</param>
/// <param name="W">The fourth.</param>
public record struct UInt4(uint X, uint Y, uint Z, uint W);

/// <summary>
/// What a kernel needs beside plain C#: each a method with a C# body, which the CPU accelerator runs, and a generator
/// of PTX with the suffix <c>Ptx</c>, which the compiler calls in its place.
/// </summary>
/// <remarks>
/// The functions of <see cref="Numerics"/> (exponential, logarithm, sigmoid, bfloat16, e4m3) need no second source:
/// ILGPU compiles their scalar C# as it is, once the three framework calls in them that it does not know are mapped
/// here: the fused multiply-add and the casts between float32 and its bits as an unsigned integer.
/// </remarks>
public static partial class DeviceIntrinsics
{
    private const BindingFlags Static = BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic;
    private static readonly Lock Mapping = new();
    private static bool mapped;

    /// <summary>Makes the intrinsics known to a context; before a backend or an accelerator is made from it.</summary>
    /// <param name="context">The context.</param>
    internal static void Register(Context context)
    {
        MapFrameworkCalls();
        IntrinsicImplementationManager manager = context.GetIntrinsicManager();
        Type type = typeof(DeviceIntrinsics);
        foreach (MethodInfo method in type.GetMethods(Static)
            .Where(method => method.IsDefined(typeof(IntrinsicImplementationAttribute))))
        {
            manager.RegisterMethod(
                method, new PTXIntrinsic(type, method.Name + "Ptx", IntrinsicImplementationMode.GenerateCode));
        }
    }

    /// <summary>a · b + c, rounded once.</summary>
    /// <param name="a">A factor.</param>
    /// <param name="b">A factor.</param>
    /// <param name="c">The addend.</param>
    /// <returns>The sum.</returns>
    [IntrinsicImplementation]
    public static float FusedMultiplyAdd(float a, float b, float c) => MathF.FusedMultiplyAdd(a, b, c);

    /// <summary>
    /// A value that is computed here: ILGPU moves what has no side effects to its use, a division before a loop into
    /// the loop, and computes it there every time.
    /// </summary>
    /// <param name="value">The value.</param>
    /// <returns>The same.</returns>
    [IntrinsicImplementation]
    public static float Keep(float value) => value;

    /// <summary>Four consecutive float32 of a read-only array in one load.</summary>
    /// <param name="first">The first, on a multiple of 16 bytes; the array is not written by this kernel.</param>
    /// <returns>The four.</returns>
    [IntrinsicImplementation]
    public static Float4 Load(ref float first) => Unsafe.As<float, Float4>(ref first);

    /// <summary>Four consecutive words of a read-only array in one load.</summary>
    /// <param name="first">The first, on a multiple of 16 bytes; the array is not written by this kernel.</param>
    /// <returns>The four.</returns>
    [IntrinsicImplementation]
    public static UInt4 LoadWords(ref uint first) => Unsafe.As<uint, UInt4>(ref first);

    /// <summary>As <see cref="LoadWords"/>, for what is read once: it leaves the first-level cache to others.</summary>
    /// <param name="first">The first, on a multiple of 16 bytes; the array is not written by this kernel.</param>
    /// <returns>The four.</returns>
    [IntrinsicImplementation]
    public static UInt4 StreamWords(ref uint first) => Unsafe.As<uint, UInt4>(ref first);

    /// <summary>Writes four consecutive float32 in one store.</summary>
    /// <param name="first">The first, on a multiple of 16 bytes.</param>
    /// <param name="values">The four.</param>
    [IntrinsicImplementation]
    public static void Store(ref float first, Float4 values) => Unsafe.As<float, Float4>(ref first) = values;

    /// <summary>A float32 with the bits of an integer.</summary>
    /// <param name="bits">The bits.</param>
    /// <returns>The number.</returns>
    public static float UInt32BitsToSingle(uint bits) => Interop.IntAsFloat(bits);

    /// <summary>The bits of a float32.</summary>
    /// <param name="value">The number.</param>
    /// <returns>The bits.</returns>
    public static uint SingleToUInt32Bits(float value) => Interop.FloatAsInt(value);

    private static void FusedMultiplyAddPtx(PTXBackend backend, PTXCodeGenerator code, Value call)
    {
        string a = PtxWriter.Argument(code, call, 0);
        string b = PtxWriter.Argument(code, call, 1);
        string c = PtxWriter.Argument(code, call, 2);
        code.Builder.Append($"\tfma.rn.f32 {PtxWriter.Result(code, call)}, {a}, {b}, {c};\n");
    }

    private static void KeepPtx(PTXBackend backend, PTXCodeGenerator code, Value call)
    {
        string value = PtxWriter.Argument(code, call, 0);
        code.Builder.Append($"\tmov.f32 {PtxWriter.Result(code, call)}, {value};\n");
    }

    private static void LoadPtx(PTXBackend backend, PTXCodeGenerator code, Value call) =>
        VectorLoad(code, call, "ld.global.nc.v4.f32");

    private static void LoadWordsPtx(PTXBackend backend, PTXCodeGenerator code, Value call) =>
        VectorLoad(code, call, "ld.global.nc.v4.b32");

    private static void StreamWordsPtx(PTXBackend backend, PTXCodeGenerator code, Value call) =>
        VectorLoad(code, call, "ld.global.nc.L1::no_allocate.v4.b32");

    private static void StorePtx(PTXBackend backend, PTXCodeGenerator code, Value call)
    {
        string address = PtxWriter.GlobalAddress(code, call, 0, "to");
        string values = PtxWriter.VectorArgument(code, call, 1);
        code.Builder.Append($"\t{{ .reg .u64 to; {address}\n\tst.global.v4.f32 [to], {values}; }}\n");
    }

    private static void VectorLoad(PTXCodeGenerator code, Value call, string instruction)
    {
        string address = PtxWriter.GlobalAddress(code, call, 0, "from");
        string result = PtxWriter.VectorResult(code, call);
        code.Builder.Append($"\t{{ .reg .u64 from; {address}\n\t{instruction} {result}, [from]; }}\n");
    }

    private static void MapFrameworkCalls()
    {
        lock (Mapping)
        {
            if (mapped)
            {
                return;
            }

            Type here = typeof(DeviceIntrinsics), real = typeof(float);
            RemappedIntrinsics.AddRemapping(
                typeof(MathF), here, nameof(FusedMultiplyAdd), [real, real, real]);
            RemappedIntrinsics.AddRemapping(
                typeof(BitConverter), here, nameof(UInt32BitsToSingle), [typeof(uint)]);
            RemappedIntrinsics.AddRemapping(
                typeof(BitConverter), here, nameof(SingleToUInt32Bits), [real]);
            mapped = true;
        }
    }
}
