using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Globalization;
using System.Numerics;
using System.Text;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Dumps;

/// <summary>
/// Reads a Python pickle as data: a stack machine that knows the opcodes that build plain values, and hands names and
/// calls to <see cref="TorchGlobals"/>, which knows a fixed list. Nothing is looked up or called in any other way; an
/// opcode or a name beyond the lists is refused and named.
/// </summary>
/// <remarks>Source: python/cpython, Lib/pickletools.py (the opcodes' descriptions).</remarks>
internal sealed class PickleReader
{
    /// <summary>The longest pickle in bytes.</summary>
    public const int MaximumLength = 1 << 24;

    private static readonly object Mark = new();

    private readonly string source;
    private readonly byte[] bytes;
    private readonly List<object?> stack = [];
    private readonly Dictionary<uint, object?> memo = [];
    private int position;
    private int opcodeStart;

    private PickleReader(string source, byte[] bytes)
    {
        this.source = source;
        this.bytes = bytes;
    }

    /// <summary>Reads one pickle.</summary>
    /// <param name="source">The entry, for messages.</param>
    /// <param name="bytes">[length], bytes, read.</param>
    /// <returns>The value: see <see cref="PickleDictionary"/> and its neighbours.</returns>
    /// <exception cref="InvalidInputException">A rule is broken, or something beyond data is asked for.</exception>
    public static object? Read(string source, byte[] bytes) => new PickleReader(source, bytes).Run();

    private object? Run()
    {
        while (true)
        {
            opcodeStart = position;
            byte opcode = Take(1)[0];
            if (opcode == (byte)'.')
            {
                object? value = Pop();
                return stack.Count == 0 && position == bytes.Length
                    ? value
                    : throw Broken("the value is not all there is: something is left on the stack or behind the end");
            }

            Execute(opcode);
        }
    }

    private void Execute(byte opcode)
    {
        switch (opcode)
        {
            case 0x80: // PROTO
                int protocol = Take(1)[0];
                if (protocol is < 2 or > 5)
                {
                    throw Broken($"pickle protocol {protocol}; 2 to 5 are read");
                }

                break;
            case 0x95: // FRAME: a hint for buffering
                Take(8);
                break;
            case (byte)'(':
                Push(Mark);
                break;
            case (byte)'0':
                Pop();
                break;
            case (byte)'1': // POP_MARK
                PopToMark();
                break;
            case (byte)'N':
                Push(null);
                break;
            case 0x88:
                Push(true);
                break;
            case 0x89:
                Push(false);
                break;
            case (byte)'K':
                Push((long)Take(1)[0]);
                break;
            case (byte)'M':
                Push((long)BinaryPrimitives.ReadUInt16LittleEndian(Take(2)));
                break;
            case (byte)'J':
                Push((long)BinaryPrimitives.ReadInt32LittleEndian(Take(4)));
                break;
            case 0x8a: // LONG1: two's complement, least significant byte first
                BigInteger integer = new(Take(Take(1)[0]));
                Push(integer >= long.MinValue && integer <= long.MaxValue ? (long)integer : integer);
                break;
            case (byte)'G':
                Push(BinaryPrimitives.ReadDoubleBigEndian(Take(8)));
                break;
            case (byte)'X':
                Push(Text(Take(BinaryPrimitives.ReadUInt32LittleEndian(Take(4)))));
                break;
            case 0x8c: // SHORT_BINUNICODE
                Push(Text(Take(Take(1)[0])));
                break;
            case (byte)'B':
                Push(Take(BinaryPrimitives.ReadUInt32LittleEndian(Take(4))).ToArray());
                break;
            case (byte)'C':
                Push(Take(Take(1)[0]).ToArray());
                break;
            case (byte)'c':
                string module = Line(), name = Line();
                Push(Global(module, name));
                break;
            case 0x93: // STACK_GLOBAL
                name = Pop<string>("a name");
                Push(Global(Pop<string>("a module"), name));
                break;
            case (byte)'R':
                PickleTuple arguments = Pop<PickleTuple>("a tuple of arguments");
                Push(Call(Pop<PickleGlobal>("an allowed name"), arguments.Items));
                break;
            case (byte)'Q':
                Push(Guarded(() => TorchGlobals.Storage(Pop<PickleTuple>("a storage's description").Items)));
                break;
            case (byte)'b':
                // An ordered dictionary of PyTorch carries its _metadata here; nothing else may be built.
                Pop();
                if (Peek() is not PickleDictionary)
                {
                    throw Broken("opcode BUILD sets the inner state of an object; refused");
                }

                break;
            case (byte)'q':
                memo[Take(1)[0]] = Peek();
                break;
            case (byte)'r':
                memo[BinaryPrimitives.ReadUInt32LittleEndian(Take(4))] = Peek();
                break;
            case 0x94: // MEMOIZE
                memo[(uint)memo.Count] = Peek();
                break;
            case (byte)'h':
                Push(Recall(Take(1)[0]));
                break;
            case (byte)'j':
                Push(Recall(BinaryPrimitives.ReadUInt32LittleEndian(Take(4))));
                break;
            default:
                Collect(opcode);
                break;
        }
    }

    private void Collect(byte opcode)
    {
        switch (opcode)
        {
            case (byte)'}':
                Push(new PickleDictionary());
                break;
            case (byte)']':
                Push(new PickleList());
                break;
            case (byte)')':
                Push(new PickleTuple([]));
                break;
            case (byte)'t':
                Push(new PickleTuple(PopToMark()));
                break;
            case >= 0x85 and <= 0x87: // TUPLE1 to TUPLE3
                object?[] items = new object?[opcode - 0x84];
                for (int index = items.Length - 1; index >= 0; index--)
                {
                    items[index] = Pop();
                }

                Push(new PickleTuple(items));
                break;
            case (byte)'a':
                object? item = Pop();
                Peek<PickleList>("a list").Items.Add(item);
                break;
            case (byte)'e':
                object?[] appended = PopToMark();
                Peek<PickleList>("a list").Items.AddRange(appended);
                break;
            case (byte)'s':
                object? value = Pop();
                object? key = Pop();
                Peek<PickleDictionary>("a dictionary").Items.Add(new(key, value));
                break;
            case (byte)'u':
                object?[] pairs = PopToMark();
                if (pairs.Length % 2 != 0)
                {
                    throw Broken("a key without a value");
                }

                PickleDictionary dictionary = Peek<PickleDictionary>("a dictionary");
                for (int index = 0; index < pairs.Length; index += 2)
                {
                    dictionary.Items.Add(new(pairs[index], pairs[index + 1]));
                }

                break;
            default:
                throw Broken($"opcode 0x{opcode:X2} is not one that plain tensors need; refused");
        }
    }

    private object? Call(PickleGlobal function, object?[] arguments) =>
        Guarded(() => TorchGlobals.Call(function, arguments));

    private T Guarded<T>(Func<T> action)
    {
        try
        {
            return action();
        }
        catch (FormatException exception)
        {
            throw Broken(exception.Message, exception);
        }
    }

    private string Line()
    {
        int end = Array.IndexOf(bytes, (byte)'\n', position);
        if (end < 0)
        {
            throw Broken("a name is cut off");
        }

        string line = Text(Take((uint)(end - position)));
        position++;
        return line;
    }

    private PickleGlobal Global(string module, string name) =>
        TorchGlobals.Find(module, name)
        ?? throw Broken($"global \"{Names.Shown($"{module}.{name}")}\" is refused: a dump needs only the names that "
            + "rebuild tensors, and to load any other could run code");

    private ReadOnlySpan<byte> Take(uint count)
    {
        if (count > bytes.Length - position)
        {
            throw Broken($"cut off: {count} bytes are needed, {bytes.Length - position} are left");
        }

        ReadOnlySpan<byte> taken = bytes.AsSpan(position, (int)count);
        position += (int)count;
        return taken;
    }

    private string Text(ReadOnlySpan<byte> utf8)
    {
        try
        {
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(utf8);
        }
        catch (ArgumentException exception)
        {
            throw Broken("a text is not valid UTF-8", exception);
        }
    }

    private void Push(object? value) => stack.Add(value);

    private object? Peek() => stack.Count > 0 && stack[^1] != Mark ? stack[^1] : throw Broken("the stack is empty");

    private T Peek<T>(string what)
        where T : class => Peek() as T ?? throw Broken($"{what} is expected");

    private object? Pop()
    {
        object? value = Peek();
        stack.RemoveAt(stack.Count - 1);
        return value;
    }

    private T Pop<T>(string what)
        where T : class => Pop() as T ?? throw Broken($"{what} is expected");

    private object?[] PopToMark()
    {
        int mark = stack.LastIndexOf(Mark);
        if (mark < 0)
        {
            throw Broken("no mark on the stack");
        }

        object?[] items = [.. stack[(mark + 1)..]];
        stack.RemoveRange(mark, stack.Count - mark);
        return items;
    }

    private object? Recall(uint key) =>
        memo.TryGetValue(key, out object? value) ? value : throw Broken($"value {key} was not remembered");

    private InvalidInputException Broken(string rule, Exception? inner = null) =>
        new(source, string.Create(CultureInfo.InvariantCulture, $"pickle byte {opcodeStart}"), rule, inner);
}
