using System.Runtime.CompilerServices;
using ILGPU.Backends.PTX;
using ILGPU.Frontend.Intrinsic;
using ILGPU.IR;
using ILGPU.IR.Intrinsics;

namespace RingFlash.Reference.Devices;

/// <summary>Eight bytes as two words, each two bfloat16.</summary>
/// <param name="X">The first.</param>
/// <param name="Y">The second.</param>
public record struct UInt2(uint X, uint Y);

/// <content>
/// <para>What tensor cores need: copies past the registers, matrices from shared memory, products of small matrices.
/// All lanes of a warp call these together.</para>
/// <para>An 8 × 8 matrix of 16-bit elements lies over a warp so that lane 4r + c holds elements 2c and 2c + 1 of row r,
/// the first one in the lower half of a word.</para>
/// </content>
public static partial class DeviceIntrinsics
{
    /// <summary>2¹²⁰ as two bfloat16: the ratio of the scales of e4m3 and bfloat16.</summary>
    private const uint BiasScales = 0x7B807B80;

    /// <summary>
    /// Copies 16 bytes from global to shared memory without waiting, or fills them with zeros; seen by the same thread
    /// after <see cref="AwaitOlderCopies"/>, by others after a barrier behind that.
    /// </summary>
    /// <param name="shared">The first word to write, on a multiple of 16 bytes.</param>
    /// <param name="global">The first word to read, on a multiple of 16 bytes.</param>
    /// <param name="bytes">16, or 0 for zeros.</param>
    [IntrinsicImplementation]
    public static void CopyAsync(ref uint shared, ref uint global, int bytes) =>
        Unsafe.As<uint, UInt4>(ref shared) = bytes == 0 ? default : Unsafe.As<uint, UInt4>(ref global);

    /// <summary>Closes a group of copies: all since the last call, or none.</summary>
    [IntrinsicImplementation]
    public static void CommitCopies()
    {
        // Copies of the C# body are done when they return.
    }

    /// <summary>Waits for all groups of copies but the youngest.</summary>
    [IntrinsicImplementation]
    public static void AwaitOlderCopies()
    {
        // Copies of the C# body are done when they return.
    }

    /// <summary>Four 8 × 8 matrices of 16-bit elements from shared memory.</summary>
    /// <param name="row">
    /// 16 bytes on a multiple of 16: lane 8m + r gives row r of matrix m.
    /// </param>
    /// <returns>This lane's elements of the four matrices.</returns>
    [IntrinsicImplementation]
    public static UInt4 LoadMatrices(ref uint row) => WarpExchange.LoadMatrices(ref row);

    /// <summary>
    /// A · B + C for A [16, 16], B [16, 8] in bfloat16 and C [16, 8] in float32. Products are exact; the order and the
    /// rounding of the sums are those of the hardware. The C# body adds in ascending k, each sum rounded.
    /// </summary>
    /// <param name="a">Rows 0–7 and 8–15 at k 0–7, then at k 8–15: four matrices.</param>
    /// <param name="b0">Columns 0–7 at k 0–7, a matrix whose rows are columns of B.</param>
    /// <param name="b1">Columns 0–7 at k 8–15.</param>
    /// <param name="c">Rows r and r + 8 of lane 4r + t at columns 2t, 2t + 1.</param>
    /// <returns>The sum, as C lies.</returns>
    [IntrinsicImplementation]
    public static Float4 MultiplyMatrices(UInt4 a, uint b0, uint b1, Float4 c) =>
        WarpExchange.MultiplyMatrices(a, b0, b1, c);

    /// <summary>Four e4m3 codes as bfloat16; exact, NaN stays NaN.</summary>
    /// <param name="codes">Four codes.</param>
    /// <returns>The lower two and the upper two.</returns>
    [IntrinsicImplementation]
    public static UInt2 WidenFloat8(uint codes) => new(WidenPair(codes), WidenPair(codes >> 16));

    private static uint WidenPair(uint codes) =>
        (SingleToUInt32Bits(Numerics.Float8E4M3.ToSingle((byte)codes)) >> 16)
        | (SingleToUInt32Bits(Numerics.Float8E4M3.ToSingle((byte)(codes >> 8))) & 0xFFFF0000);

    private static void CopyAsyncPtx(PTXBackend backend, PTXCodeGenerator code, Value call)
    {
        string to = PtxWriter.SharedAddress(code, call, 0, "to");
        string from = PtxWriter.GlobalAddress(code, call, 1, "from");
        string bytes = PtxWriter.Argument(code, call, 2);
        code.Builder.Append($"\t{{ .reg .u32 to; .reg .u64 from; {to} {from}\n");
        code.Builder.Append($"\tcp.async.cg.shared.global [to], [from], 16, {bytes}; }}\n");
    }

    private static void CommitCopiesPtx(PTXBackend backend, PTXCodeGenerator code, Value call) =>
        code.Builder.Append("\tcp.async.commit_group;\n");

    private static void AwaitOlderCopiesPtx(PTXBackend backend, PTXCodeGenerator code, Value call) =>
        code.Builder.Append("\tcp.async.wait_group 1;\n");

    private static void LoadMatricesPtx(PTXBackend backend, PTXCodeGenerator code, Value call)
    {
        string row = PtxWriter.SharedAddress(code, call, 0, "row");
        string result = PtxWriter.VectorResult(code, call);
        code.Builder.Append($"\t{{ .reg .u32 row; {row}\n");
        code.Builder.Append($"\tldmatrix.sync.aligned.m8n8.x4.shared.b16 {result}, [row]; }}\n");
    }

    private static void MultiplyMatricesPtx(PTXBackend backend, PTXCodeGenerator code, Value call)
    {
        string a = PtxWriter.VectorArgument(code, call, 0), c = PtxWriter.VectorArgument(code, call, 3);
        string b = $"{{{PtxWriter.Argument(code, call, 1)}, {PtxWriter.Argument(code, call, 2)}}}";
        string result = PtxWriter.VectorResult(code, call);
        code.Builder.Append($"\tmma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {result}, {a}, {b}, {c};\n");
    }

    // A code's magnitude four places higher is a bfloat16 with e4m3's exponent; times 2¹²⁰ it is the number. The NaN
    // 0x7F becomes 480 by that and is made a NaN again: adding one step reaches bit 11 for it alone.
    private static void WidenFloat8Ptx(PTXBackend backend, PTXCodeGenerator code, Value call)
    {
        string codes = PtxWriter.Argument(code, call, 0);
        string[] results = PtxWriter.VectorResult(code, call).Trim('{', '}').Split(", ");
        code.Builder.Append("\t{ .reg .b32 wide, sign, nan, ratio;\n");
        code.Builder.Append($"\tmov.b32 ratio, {BiasScales};\n");
        for (int half = 0; half < 2; half++)
        {
            // Bytes 0 and 1 (2 and 3) of the codes to bytes 1 and 3; the others come from the zeros behind them.
            string selector = half == 0 ? "0x1404" : "0x3424";
            code.Builder.Append($"\tprmt.b32 wide, {codes}, 0, {selector};\n");
            code.Builder.Append("\tand.b32 sign, wide, 0x80008000;\n");
            code.Builder.Append("\tshr.u32 wide, wide, 4;\n");
            code.Builder.Append("\tand.b32 wide, wide, 0x07F007F0;\n");
            code.Builder.Append("\tadd.u32 nan, wide, 0x00100010;\n");
            code.Builder.Append("\tand.b32 nan, nan, 0x08000800;\n");
            code.Builder.Append("\tor.b32 wide, wide, sign;\n");
            code.Builder.Append("\tmul.rn.bf16x2 wide, wide, ratio;\n");
            code.Builder.Append("\tshr.u32 nan, nan, 4;\n"); // a quiet NaN: 480 is 0x43F0, with bits 7 to 14 set
            code.Builder.Append("\tmul.lo.u32 nan, nan, 255;\n");
            code.Builder.Append($"\tor.b32 {results[half]}, wide, nan;\n");
        }

        code.Builder.Append("\t}\n");
    }
}
