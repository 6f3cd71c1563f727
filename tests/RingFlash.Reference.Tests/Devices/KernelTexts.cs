// Red here: a kernel's PTX holds something that would fault, be slow or give other bits on a card; or the checks have
// gone blind.
using System;
using System.Collections.Generic;
using System.Linq;
using ILGPU;
using RingFlash.Reference.Devices;
using Xunit;

namespace RingFlash.Reference.Tests.Devices;

public sealed class KernelTexts
{
    private const string Sound = ".target sm_90\n.maxntid 256, 1, 1\n";

    private static readonly IReadOnlyList<KernelEntry> Kernels = KernelCatalogue.Of(typeof(KernelHost).Assembly);

    private static readonly KernelAttribute Plain = new();

    public static TheoryData<string> Names => [.. Kernels.Select(kernel => kernel.Name)];

    /// <summary>What a text must not hold, and the word of the fault.</summary>
    public static TheoryData<string, string> Defects => new()
    {
        { ".extern .func (.param .f32 r) Sin(", "unresolved" },
        { "ex2.approx.f32 %f1, %f2;", "approximate" },
        { "mul.rn.ftz.f32 %f1, %f2, %f3;", "flushed" },
        { "add.f32 %f1, %f2, %f3;", "contracted" },
        { "mad.f32 %f1, %f2, %f3, %f4;", "contracted" },
        { "cvt.rn.f64.u32 %fd1, %r1;", "float64" },
        { ".local .align 4 .b8 depot[128];", "local memory" },
        { "div.s32 %r1, %r2, %r3;", "integer division" },
        { "rem.u64 %rd1, %rd2, %rd3;", "integer division" },
        { "@!%p12 bra.uni L_3;", "uniform" },
        { "ld.global.nc.v4.f32 {%f1, %f2, %f3, %f4}, [from];", "loads of 16 bytes" },
        { "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32", "tensor core" },
        { "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r1, %r2, %r3, %r4}, [row];", "matrix pieces" },
        { "cp.async.cg.shared.global [to], [from], 16, %r1;", "past the registers" },
    };

    [Fact]
    public void ThereAreKernels() => Assert.True(Kernels.Count >= 8, $"{Kernels.Count} kernels");

    [Theory]
    [MemberData(nameof(Names))]
    public void EveryKernelCompilesAndItsTextIsSound(string name)
    {
        KernelEntry kernel = Kernels.Single(entry => entry.Name == name);
        string ptx = PtxCompiler.Compile(kernel);
        IReadOnlyList<string> faults = PtxChecks.Faults(ptx, kernel.Declared);
        Assert.True(faults.Count == 0, $"{name}: {string.Join("; ", faults)}\n{ptx}");
    }

    [Theory]
    [MemberData(nameof(Defects))]
    public void EveryDefectIsSeen(string line, string word)
    {
        KernelAttribute declared = new() { VectorLoads = 0 };
        Assert.Empty(PtxChecks.Faults(Sound, declared));
        Assert.Contains(word, Assert.Single(PtxChecks.Faults(Sound + line, declared)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "maxntid")]
    [InlineData(".maxntid 256, 1, 1\n.target sm_80\n", "target")]
    public void WhatIsMissingIsSeen(string text, string word) =>
        Assert.Contains(PtxChecks.Faults(text, Plain), fault => fault.Contains(word, StringComparison.Ordinal));

    [Fact]
    public void WhatIsDeclaredMustBeThere()
    {
        KernelAttribute[] declared =
        [
            new() { VectorLoads = 8 }, new() { MatrixInstructions = 8 }, new() { MatrixLoads = [8, 10] },
            new() { AsynchronousCopies = 8 },
        ];
        Assert.All(declared, what => Assert.Single(PtxChecks.Faults(Sound, what)));
    }

    [Theory]
    [InlineData(nameof(DivergentLoop), "uniform")]
    [InlineData(nameof(ProductThenSum), "contracted")]
    public void WhatThePatchCorrectsIsThereBefore(string kernel, string word)
    {
        KernelEntry entry = Own(kernel);
        string ptx = PtxCompiler.CompileUncorrected(entry);
        IReadOnlyList<string> before = PtxChecks.Faults(ptx, entry.Declared);
        Assert.Contains(before, fault => fault.Contains("target", StringComparison.Ordinal));
        Assert.Contains(before, fault => fault.Contains(word, StringComparison.Ordinal));
        Assert.Empty(PtxChecks.Faults(PtxPatch.Apply(ptx), entry.Declared));
    }

    [Theory]
    [InlineData(nameof(Approximate), "approximate")]
    [InlineData(nameof(FrameworkFunction), "unresolved")]
    [InlineData(nameof(DoubleProduct), "float64")]
    [InlineData(nameof(IntegerRemainder), "integer division")]
    [InlineData(nameof(IndexedArray), "local memory")]
    public void KernelsThatAreWronglyWrittenAreRefused(string kernel, string word)
    {
        KernelEntry entry = Own(kernel);
        Assert.Contains(
            PtxChecks.Faults(PtxCompiler.Compile(entry), entry.Declared),
            fault => fault.Contains(word, StringComparison.Ordinal));
    }

    [Fact]
    public void TextWithoutATargetIsNotTakenForIlgpus() =>
        Assert.Throws<InvalidOperationException>(() => PtxPatch.Apply(".version 8.4\n"));

    [Kernel]
    internal static void DivergentLoop(ArrayView<int> counts)
    {
        int mine = Atomic.Add(ref counts[0], 1), sum = 0;
        for (int i = 0; i < mine; i++)
        {
            sum += i * mine;
        }

        counts[mine] = sum;
    }

    [Kernel]
    internal static void ProductThenSum(ArrayView<float> x) =>
        x[Group.IdxX] = (x[Group.IdxX] * x[Group.IdxX + 1]) + x[Group.IdxX + 2];

#pragma warning disable RS0030 // banned: here to show that the check finds it
    [Kernel]
    internal static void Approximate(ArrayView<float> x) => x[Group.IdxX] = MathF.Sin(x[Group.IdxX]);
#pragma warning restore RS0030

    [Kernel]
    internal static void FrameworkFunction(ArrayView<float> x) => x[Group.IdxX] = MathF.Cbrt(x[Group.IdxX]);

    [Kernel]
    internal static void DoubleProduct(ArrayView<float> x) => x[Group.IdxX] = (float)(2.5 * x[Group.IdxX]);

    [Kernel]
    internal static void IntegerRemainder(ArrayView<int> x) => x[Group.IdxX] %= 7;

    [Kernel]
    internal static void IndexedArray(ArrayView<float> x)
    {
        ArrayView<float> array = LocalMemory.Allocate<float>(8);
        for (int i = 0; i < 8; i++)
        {
            array[i] = x[i + Group.IdxX];
        }

        x[Group.IdxX] = array[(int)x[0] & 7];
    }

    private static KernelEntry Own(string method) =>
        KernelCatalogue.Of(typeof(KernelTexts).Assembly).Single(entry => entry.Name == $"KernelTexts.{method}");
}
