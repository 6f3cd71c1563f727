// Red here means that a damaged or hostile safetensors file is accepted, crashes the process, makes it allocate what
// the file merely claims, or gets a message that does not say what is wrong. Rows are those of the list of bad inputs.
using System;
using System.IO;
using System.Linq;
using System.Text;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;
using Xunit;
using static RingFlash.Reference.Tests.Checkpoint.SafetensorsBytes;

namespace RingFlash.Reference.Tests.Checkpoint;

public sealed class SafetensorsBadInputs : IDisposable
{
    private const string FileName = "bad.safetensors";
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(7)]
    public void Row1_FileShorterThanItsLength(int length) =>
        Refused(new byte[length], "header length missing", $"{length} bytes", "8 are needed");

    [Theory]
    [InlineData(1UL << 63)]
    [InlineData(100_000_001UL)]
    [InlineData(ulong.MaxValue)]
    public void Row2_HeaderLengthAboveTheLimit(ulong length) =>
        RefusedWithoutAllocation(WithLength(length, "{}"), $"{length}", "limit of 100000000");

    [Fact]
    public void Row3_HeaderLengthBeyondTheFile() =>
        RefusedWithoutAllocation(WithLength(99_999_999, "{}  "), "99999999", "larger than the 4 bytes");

    [Theory]
    [InlineData(0UL)]
    [InlineData(1UL)]
    public void Row4_HeaderTooShortForAnObject(ulong length) =>
        Refused(WithLength(length, "{}"), $"header length is {length}", "no JSON object");

    [Theory]
    [InlineData(" {}")]
    [InlineData("\uFEFF{}")]
    [InlineData("[]")]
    public void Row5_HeaderDoesNotBeginWithBrace(string header) => Refused(Build(header, 0), "must begin with '{'");

    [Fact]
    public void Row6_HeaderPaddedWithNul() =>
        Refused(Build("{}\0\0\0\0\0\0", 0), "spaces (0x20) only", "0x00", "byte 15");

    [Fact]
    public void Row6_SpacesAreAccepted()
    {
        using SafetensorsFile file = Open(Build("{}      ", 0));
        Assert.Empty(file.Tensors);
    }

    [Fact]
    public void Row7_InvalidUtf8()
    {
        byte[] header = Encoding.UTF8.GetBytes("{" + Tensor("aXb", "F32", "[]", "[0,4]") + "}");
        header[3] = 0xC3; // the start of a two-byte sequence that does not go on
        Refused(Build(header, 4), "byte 11", "not valid UTF-8");
    }

    [Fact]
    public void Row7_LoneSurrogateEscape() =>
        Refused(Build("{" + Tensor("a\\ud800", "F32", "[]", "[0,4]") + "}", 4), "surrogate");

    [Fact]
    public void Row8_TensorNameTwice() => Refused(
        Build("{" + Tensor("same", "F32", "[1]", "[0,4]") + "," + Tensor("same", "F32", "[1]", "[4,8]") + "}", 8),
        "\"same\"",
        "occurs twice");

    [Fact]
    public void Row8_TensorNameTwiceInDifferentSpelling() => Refused(
        Build("{" + Tensor("a", "F32", "[1]", "[0,4]") + "," + Tensor("\\u0061", "F32", "[1]", "[4,8]") + "}", 8),
        "\"a\"",
        "occurs twice");

    [Fact]
    public void Row8_MetadataTwice() =>
        Refused(Build("{\"__metadata__\":{},\"__metadata__\":{}}", 0), "__metadata__", "occurs twice");

    [Theory]
    [InlineData("\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}")]
    [InlineData("\"a\":{\"dtype\":\"U8\",\"shape\":[],\"shape\":[],\"data_offsets\":[0,1]}")]
    [InlineData("\"a\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1],\"data_offsets\":[0,1]}")]
    [InlineData("\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}")]
    public void Row8_InnerKeyTwice(string entry) => Refused(Build("{" + entry + "}", 1), "occurs twice");

    [Fact]
    public void UnknownInnerKey() => Refused(
        Build("{\"a\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1],\"strides\":[1]}}", 1),
        "unknown key \"strides\"");

    [Theory]
    [InlineData("{\"a\":{\"shape\":[],\"data_offsets\":[0,1]}}", "dtype is missing")]
    [InlineData("{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", "shape is missing")]
    [InlineData("{\"a\":{\"dtype\":\"U8\",\"shape\":[]}}", "data_offsets is missing")]
    [InlineData("{\"a\":7}", "must be an object")]
    [InlineData("{\"a\":{\"dtype\":7,\"shape\":[],\"data_offsets\":[0,1]}}", "dtype must be a string")]
    [InlineData("{\"a\":{\"dtype\":\"U8\",\"shape\":1,\"data_offsets\":[0,1]}}", "shape must be an array")]
    [InlineData("{\"a\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[1]}}", "two numbers, found 1")]
    [InlineData("{\"a\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1,1]}}", "two numbers, found more")]
    [InlineData("{\"a\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[\"0\",1]}}", "plain non-negative integers")]
    [InlineData("{\"a\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1],}}", "not valid JSON")]
    [InlineData("{} {}", "not valid JSON")]
    public void EntryOfAnotherForm(string header, string rule) => Refused(Build(header, 1), rule);

    [Theory]
    [InlineData("1")]
    [InlineData("null")]
    [InlineData("{\"inner\":\"object\"}")]
    [InlineData("[\"list\"]")]
    public void Row9_MetadataValueIsNoString(string value) =>
        Refused(Build("{\"__metadata__\":{\"key\":" + value + "}}", 0), "__metadata__.\"key\"", "must be a string");

    [Fact]
    public void Row9_MetadataIsNoObject() => Refused(Build("{\"__metadata__\":\"text\"}", 0), "object of strings");

    [Fact]
    public void Row9_MetadataStringOf50Megabytes() => Refused(
        Build("{\"__metadata__\":{\"key\":\"" + new string('x', 50_000_000) + "\"}}", 0),
        "50000000 bytes",
        "limit is 1048576");

    [Fact]
    public void Row10_Overlap() => Refused(
        Build("{" + Tensor("first", "F32", "[2]", "[0,8]") + "," + Tensor("second", "F32", "[2]", "[4,12]") + "}", 12),
        "overlap",
        "\"first\"",
        "\"second\"");

    [Fact]
    public void Row10_TwoTensorsWithOnePlace() => Refused(
        Build("{" + Tensor("first", "F32", "[2]", "[0,8]") + "," + Tensor("second", "F32", "[2]", "[0,8]") + "}", 8),
        "overlap",
        "\"first\"",
        "\"second\"");

    [Fact]
    public void Row11_HoleBetweenTensors() => Refused(
        Build("{" + Tensor("first", "F32", "[1]", "[0,4]") + "," + Tensor("second", "F32", "[1]", "[8,12]") + "}", 12),
        "hole",
        "\"first\"",
        "\"second\"");

    [Fact]
    public void Row11_HoleBeforeTheFirst() =>
        Refused(Build("{" + Tensor("first", "F32", "[1]", "[4,8]") + "}", 8), "hole", "\"first\"");

    [Fact]
    public void Row11_BytesAfterTheLast() =>
        Refused(Build("{" + Tensor("first", "F32", "[1]", "[0,4]") + "}", 9), "hole", "\"first\"", "5 bytes");

    [Theory]
    [InlineData("[4,0]", "end lies before the begin")]
    [InlineData("[-4,0]", "plain non-negative integers")]
    [InlineData("[-0,4]", "plain non-negative integers")]
    [InlineData("[0,4.0]", "plain non-negative integers")]
    [InlineData("[0,4e0]", "plain non-negative integers")]
    [InlineData("[0,0.4E1]", "plain non-negative integers")]
    [InlineData("[00,4]", "not valid JSON")]
    public void Row12_OffsetsThatAreNotPlain(string offsets, string rule) =>
        Refused(Build("{" + Tensor("a", "F32", "[1]", offsets) + "}", 4), rule);

    [Theory]
    [InlineData("-0")]
    [InlineData("1.0")]
    [InlineData("1e0")]
    public void Row12_AxisThatIsNotPlain(string axis) =>
        Refused(Build("{" + Tensor("a", "F32", $"[{axis}]", "[0,4]") + "}", 4), "plain non-negative integers", axis);

    [Theory]
    [InlineData("18446744073709551616", "overflows 64 bits")]
    [InlineData("99999999999999999999999999999999999999999999999999", "overflows 64 bits")]
    [InlineData("18446744073709551615", "beyond the 4 bytes")]
    [InlineData("9007199254740993", "9007199254740993")] // 2⁵³ + 1: as a double it would end in 2
    public void Row13_HugeOffset(string offset, string rule) =>
        Refused(Build("{" + Tensor("a", "F32", "[1]", $"[0,{offset}]") + "}", 4), rule);

    [Theory]
    [InlineData("[4294967296,4294967296]")]
    [InlineData("[9223372036854775807]")]
    [InlineData("[9223372036854775808]")]
    [InlineData("[4611686018427387905,4]")] // times 4 bytes it wraps to 16
    public void Row14_ShapeOverflows(string shape) =>
        Refused(Build("{" + Tensor("a", "F32", shape, "[0,4]") + "}", 4), "overflow");

    [Fact]
    public void Row15_ShapeDiffersFromBytes() => Refused(
        Build("{" + Tensor("a", "BF16", "[3,5]", "[0,32]") + "}", 32),
        "\"a\"",
        "needs 30 bytes",
        "hold 32");

    [Fact]
    public void Row16_EmptyAndScalarShapesAreAccepted()
    {
        using SafetensorsFile file = Open(Build(
            "{" + Tensor("empty", "F32", "[0,5]", "[4,4]") + "," + Tensor("scalar", "F32", "[]", "[0,4]") + "}",
            4));
        Assert.Equal([1L, 0L], file.Tensors.Select(tensor => tensor.ElementCount));
        Assert.Empty(file.ReadVector("empty"));
        Assert.Equal([0f], file.ReadVector("scalar"));
    }

    [Fact]
    public void Row17_RankAbove16()
    {
        string ones = "[" + string.Join(",", Enumerable.Repeat("1", 65)) + "]";
        Refused(Build("{" + Tensor("a", "U8", ones, "[0,1]") + "}", 1), "rank above 16");
    }

    [Theory]
    [InlineData("BF17")]
    [InlineData("f32")]
    [InlineData("")]
    public void Row18_UnknownType(string type) => Refused(
        Build("{" + Tensor("a", type, "[1]", "[0,4]") + "}", 4),
        $"dtype \"{type}\"",
        "known: BOOL, U8, I8, F8_E5M2, F8_E4M3, I16, U16, F16, BF16, I32, U32, F32, F64, I64, U64");

    [Theory]
    [InlineData("F4")]
    [InlineData("F6_E2M3")]
    [InlineData("F6_E3M2")]
    public void Row19_TypesBelowAByte(string type) =>
        Refused(Build("{" + Tensor("a", type, "[3]", "[0,2]") + "}", 2), $"dtype \"{type}\"", "known: ");

    [Fact]
    public void Row20_MoreThanAMillionTensors()
    {
        StringBuilder header = new("{");
        for (int index = 0; index <= 1_000_000; index++)
        {
            header.Append(index == 0 ? "" : ",").Append(Tensor(index.ToString("x"), "U8", "[0]", "[0,0]"));
        }

        Refused(Build(header.Append('}').ToString(), 0), "more than 1000000 tensors");
    }

    [Fact]
    public void Row20_NameOf10Megabytes() => Refused(
        Build("{" + Tensor(new string('n', 10_000_000), "U8", "[]", "[0,1]") + "}", 1),
        "10000000 bytes",
        "limit is 4096");

    [Fact]
    public void Row20_LongLegalNameDoesNotHideTheRule() =>
        Refused(Build("{" + Tensor(new string('n', 4096), "U8", "[2]", "[0,1]") + "}", 1), "needs 2 bytes");

    [Theory]
    [InlineData("..\\u0000\\n\\u001b[31m")]
    [InlineData("\\u2028\\u0085../x")]
    public void Row20_ControlCharactersAreEscapedInMessages(string name) =>
        Refused(Build("{" + Tensor(name, "U8", "[2]", "[0,1]") + "}", 1), "needs 2 bytes", "..");

    [Fact]
    public void Row21_NestedTenThousandDeep()
    {
        string deep = new string('[', 10_000) + new string(']', 10_000);
        Refused(Build("{\"a\":" + deep + "}", 0), "must be an object");
        Refused(Build("{\"__metadata__\":{\"a\":" + deep + "}}", 0), "must be a string");
        Refused(Build("{" + Tensor("a", "U8", deep, "[0,1]") + "}", 1), "JSON");
        Refused(Build(string.Concat(Enumerable.Repeat("{\"a\":", 10_000)) + new string('}', 10_000), 1), "unknown key");
    }

    [Fact]
    public void Row22_BigEndianHost()
    {
        Exception? exception =
            Record.Exception(() => SafetensorsFile.RequireLittleEndian(isLittleEndian: false, FileName));
        Assert.Contains("big-endian", Assert.IsType<EnvironmentException>(exception).Message, StringComparison.Ordinal);
        SafetensorsFile.RequireLittleEndian(isLittleEndian: true, FileName);
    }

    [Fact]
    public void Row23_FileTruncatedWhileOpen()
    {
        byte[] bytes = Build("{" + Tensor("a", "F32", "[1000]", "[0,4000]") + "}", 4000);
        using SafetensorsFile file = Open(bytes);
        TensorInfo tensor = Assert.Single(file.Tensors);
        File.WriteAllBytes(folder.File(FileName), bytes[..(bytes.Length - 1000)]);
        float[] values = new float[1000];
        EnvironmentException exception = Assert.Throws<EnvironmentException>(() => file.Read(tensor, 0, values));
        OneLine(exception, "shrank", "size or time changed");
        file.Read(tensor, 0, values.AsSpan(0, 750)); // what is left can still be read
    }

    [Fact]
    public void Row24_FileReplacedAfterOpening()
    {
        byte[] bytes = Build("{" + Tensor("a", "F32", "[1]", "[0,4]") + "}", 4);
        using SafetensorsFile file = Open(bytes);
        file.EnsureUnchanged();
        string path = folder.File(FileName);
        DateTime time = File.GetLastWriteTimeUtc(path);
        File.Delete(path);
        OneLine(Assert.Throws<EnvironmentException>(file.EnsureUnchanged), "no such file");
        File.WriteAllBytes(path, bytes);
        File.SetLastWriteTimeUtc(path, time.AddSeconds(1));
        OneLine(Assert.Throws<InvalidInputException>(file.EnsureUnchanged), "size or time changed");
        File.WriteAllBytes(path, [.. bytes, 0]);
        File.SetLastWriteTimeUtc(path, time);
        OneLine(Assert.Throws<InvalidInputException>(file.EnsureUnchanged), "size or time changed");
    }

    [Fact]
    public void Row25_NotFiniteWeightsAreReadAndCounted()
    {
        byte[] bytes = Build("{" + Tensor("a", "F32", "[4]", "[0,16]") + "}", 16);
        float[] stored = [1, float.NaN, float.NegativeInfinity, 2];
        Buffer.BlockCopy(stored, 0, bytes, bytes.Length - 16, 16);
        using SafetensorsFile file = Open(bytes);
        Assert.Equal(stored, file.ReadVector("a"));
        Assert.Equal(2, file.CountNonFinite(Assert.Single(file.Tensors)));
    }

    [Fact]
    public void Row35_LfsPointer() => Refused(
        Encoding.ASCII.GetBytes("version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 9663676416\n"),
        "this is an LFS pointer",
        "run git lfs pull");

    [Theory]
    [InlineData("<!DOCTYPE html><html>", "HTML")]
    [InlineData("\r\n  <html lang=en>", "HTML")]
    [InlineData("<a>", "HTML")]
    [InlineData("PK\u0003\u0004\u0014\0\0\0\u0008\0\0\0", "zip")]
    public void Row36_OtherFormatsAsText(string start, string word) => Refused(Encoding.UTF8.GetBytes(start), word);

    [Theory]
    [InlineData("1F8B0808A1B2C3D4000377", "gzip")]
    [InlineData("1F8B08000000000000037700", "gzip")] // time 0: its first eight bytes are a header length within limits
    [InlineData("80028A0A6CFC9C46F9206AA85019", "pickle")]
    [InlineData("80049500000000000000007D942E", "pickle")]
    [InlineData("EFBBBF3C68746D6C3E", "HTML")]
    public void Row36_OtherFormatsAsBytes(string start, string word) => Refused(Convert.FromHexString(start), word);

    [Fact]
    public void Row36_HeaderLengthThatLooksLikeAPickleIsAccepted()
    {
        using SafetensorsFile file = Open(Build("{}" + new string(' ', 0x280 - 2), 0)); // length bytes 80 02 00 …
        Assert.Empty(file.Tensors);
    }

    [Fact]
    public void MissingFileIsNotTheInputsFault() =>
        OneLine(Assert.Throws<EnvironmentException>(() => SafetensorsFile.Open(folder.File(FileName))), "no such file");

    [Fact]
    public void FolderInsteadOfAFile() =>
        Assert.Throws<EnvironmentException>(() => SafetensorsFile.Open(folder.Path));

    private static void OneLine(Exception exception, params string[] words)
    {
        Assert.DoesNotContain(exception.Message, character => char.IsControl(character) || character == '\u2028');
        foreach (string word in words)
        {
            Assert.Contains(word, exception.Message, StringComparison.Ordinal);
        }
    }

    private SafetensorsFile Open(byte[] bytes) => SafetensorsFile.Open(folder.Write(FileName, bytes));

    private void Refused(byte[] bytes, params string[] words)
    {
        string path = folder.Write(FileName, bytes);
        OneLine(Assert.Throws<InvalidInputException>(() => SafetensorsFile.Open(path)), [path, .. words]);
    }

    private void RefusedWithoutAllocation(byte[] bytes, params string[] words)
    {
        Refused(bytes, words); // also warms up, so that the count below holds no start-up cost
        string path = folder.File(FileName);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Exception? exception = Record.Exception(() => SafetensorsFile.Open(path));
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.NotNull(exception);
        Assert.InRange(allocated, 0, 1_000_000);
    }
}
