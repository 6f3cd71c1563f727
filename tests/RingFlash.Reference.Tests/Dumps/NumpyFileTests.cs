// Red here: NumPy's files are read wrong, or a damaged one is accepted.
using System;
using System.Linq;
using System.Text.Json;
using RingFlash.Reference.Dumps;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Tests.Checkpoint;
using Xunit;

namespace RingFlash.Reference.Tests.Dumps;

public sealed class NumpyFileTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("plain")]
    [InlineData("fortran")]
    [InlineData("big")]
    [InlineData("big_fortran")]
    [InlineData("half")]
    [InlineData("integers")]
    [InlineData("bytes")]
    [InlineData("truth")]
    [InlineData("scalar")]
    [InlineData("empty")]
    [InlineData("version2")]
    public void EveryArrayIsReadBitForBit(string name)
    {
        using Dump dump = Dump.Open(Fixtures.File(name + ".npy"));
        DumpTensor tensor = Assert.Single(dump.Tensors);
        Assert.Equal(name, tensor.Name);
        Fixtures.AssertHolds(Fixtures.Expected.GetProperty(name + ".npy").GetProperty(name), tensor);
    }

    [Theory]
    [InlineData("stored.npz")]
    [InlineData("deflated.npz")]
    public void EveryArrayOfAnArchiveIsReadBitForBit(string name)
    {
        using Dump dump = Dump.Open(Fixtures.File(name));
        Assert.Equal("npz", dump.Format);
        JsonElement expected = Fixtures.Expected.GetProperty(name);
        Assert.Equal(expected.EnumerateObject().Count(), dump.Tensors.Count);
        foreach (DumpTensor tensor in dump.Tensors)
        {
            Fixtures.AssertHolds(expected.GetProperty(tensor.Name), tensor);
        }
    }

    [Theory]
    [InlineData("object.npy", "object array is a pickle")]
    [InlineData("structured.npy", "structured type")]
    [InlineData("complex.npy", "complex")]
    [InlineData("text.npy", "\"<U3\" is not read")]
    public void Row47_OtherTypesAreRefusedByName(string name, string rule)
    {
        InvalidInputException exception =
            Assert.Throws<InvalidInputException>(() => Dump.Open(Fixtures.File(name)));
        Assert.Contains(rule, exception.Message, StringComparison.Ordinal);
        Assert.Contains(name, exception.Message, StringComparison.Ordinal);
    }
}
