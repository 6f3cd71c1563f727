// Reads the PTX of one kernel for PtxMachine. Red nowhere by itself: what it cannot read it refuses.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text.RegularExpressions;

namespace RingFlash.Reference.Tests.Devices.Ptx;

/// <summary>A register, or a number where the register is −1.</summary>
internal readonly record struct PtxOperand(int Register, ulong Number)
{
    public ulong Read(ulong[] registers) => Register < 0 ? Number : registers[Register];
}

/// <summary>One instruction: the predicate (−1 for none), the words of the opcode, the operands as text.</summary>
internal sealed record PtxInstruction(
    int Predicate, bool Negated, string Opcode, string[] Words, string[] Operands, string Text);

/// <summary>The entry of a module: its instructions, labels, registers and memory.</summary>
internal sealed partial class PtxProgram
{
    private readonly Dictionary<string, int> registers = [];
    private readonly Dictionary<string, int> symbols = [];
    private readonly Dictionary<string, int> labels = [];
    private readonly List<PtxInstruction> instructions = [];
    private string dynamicShared = string.Empty;

    public PtxProgram(string ptx)
    {
        foreach (string special in new[] { "tid", "ntid", "ctaid", "nctaid" })
        {
            foreach (string axis in new[] { "x", "y", "z" })
            {
                registers.Add($"%{special}.{axis}", registers.Count);
            }
        }

        registers.Add("%laneid", registers.Count);
        registers.Add("%dynamic_smem_size", registers.Count);
        Match entry = Entry().Match(ptx);
        Parameter = entry.Groups["parameter"].Value;
        ParameterBytes = int.Parse(entry.Groups["bytes"].Value, CultureInfo.InvariantCulture);
        foreach (Match shared in ModuleShared().Matches(ptx[..entry.Index]))
        {
            Declare(shared.Value);
        }

        int start = ptx.IndexOf('{', entry.Index + entry.Length);
        Read(ptx[start..]);
        SharedBytes = (SharedBytes + 15) / 16 * 16;
        if (dynamicShared.Length > 0)
        {
            symbols[dynamicShared] = SharedBytes; // behind all static arrays
        }
    }

    public string Parameter { get; }

    public int ParameterBytes { get; }

    public int SharedBytes { get; private set; }

    public int LocalBytes { get; private set; }

    public IReadOnlyList<PtxInstruction> Instructions => instructions;

    public int RegisterCount => registers.Count;

    public int Label(string name) => labels[name];

    /// <summary>Where a static array lies in its memory; the dynamic one lies behind all static ones.</summary>
    public int SymbolOffset(string name) => symbols[name];

    public int Register(string name) => registers.TryGetValue(name, out int index)
        ? index
        : throw new NotSupportedException($"register {name}");

    public PtxOperand Operand(string text)
    {
        if (registers.TryGetValue(text, out int register))
        {
            return new PtxOperand(register, 0);
        }

        if (symbols.TryGetValue(text, out int offset))
        {
            return new PtxOperand(-1, (ulong)offset);
        }

        if (text.StartsWith("0f", StringComparison.Ordinal) || text.StartsWith("0d", StringComparison.Ordinal))
        {
            return new PtxOperand(-1, ulong.Parse(text[2..], NumberStyles.HexNumber, CultureInfo.InvariantCulture));
        }

        if (text.StartsWith("0x", StringComparison.Ordinal))
        {
            return new PtxOperand(-1, ulong.Parse(text[2..], NumberStyles.HexNumber, CultureInfo.InvariantCulture));
        }

        if (ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong natural))
        {
            return new PtxOperand(-1, natural);
        }

        return long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number)
            ? new PtxOperand(-1, (ulong)number)
            : throw new NotSupportedException($"operand {text}");
    }

    private void Read(string body)
    {
        int at = 0, depth = 0;
        while (true)
        {
            while (char.IsWhiteSpace(body[at]) || body[at] is '{' or '}')
            {
                depth += body[at] == '{' ? 1 : body[at] == '}' ? -1 : 0;
                at++;
                if (depth == 0)
                {
                    return;
                }
            }

            if (Label().Match(body, at) is { Success: true } label && label.Index == at)
            {
                labels.Add(label.Groups["name"].Value, instructions.Count);
                at += label.Length;
                continue;
            }

            int end = body.IndexOf(';', at);
            string statement = body[at..end].Trim();
            at = end + 1;
            if (statement.StartsWith('.'))
            {
                Declare(statement);
            }
            else if (statement.Length > 0)
            {
                instructions.Add(Parse(statement));
            }
        }
    }

    private void Declare(string statement)
    {
        if (statement.StartsWith(".reg", StringComparison.Ordinal))
        {
            Match many = ManyRegisters().Match(statement);
            if (many.Success)
            {
                string name = many.Groups["name"].Value;
                int count = int.Parse(many.Groups["count"].Value, CultureInfo.InvariantCulture);
                for (int i = 0; i < count; i++)
                {
                    registers.TryAdd(name + i.ToString(CultureInfo.InvariantCulture), registers.Count);
                }
            }
            else
            {
                char[] between = [' ', '\t', ','];
                foreach (string name in statement.Split(between, StringSplitOptions.RemoveEmptyEntries)[2..])
                {
                    registers.TryAdd(name, registers.Count);
                }
            }
        }
        else if (Memory().Match(statement) is { Success: true } memory)
        {
            bool local = memory.Groups["space"].Value == "local";
            if (memory.Groups["bytes"].Length == 0)
            {
                dynamicShared = memory.Groups["name"].Value;
                return;
            }

            int bytes = int.Parse(memory.Groups["bytes"].Value, CultureInfo.InvariantCulture);
            int offset = ((local ? LocalBytes : SharedBytes) + 15) / 16 * 16;
            symbols.TryAdd(memory.Groups["name"].Value, offset);
            LocalBytes = local ? offset + bytes : LocalBytes;
            SharedBytes = local ? SharedBytes : offset + bytes;
        }
        else if (!statement.StartsWith(".loc", StringComparison.Ordinal)
            && !statement.StartsWith(".pragma", StringComparison.Ordinal))
        {
            throw new NotSupportedException(statement);
        }
    }

    private PtxInstruction Parse(string statement)
    {
        int predicate = -1;
        bool negated = false;
        string text = statement;
        if (statement[0] == '@')
        {
            string[] guard = statement.Split((char[])[' ', '\t'], 2, StringSplitOptions.RemoveEmptyEntries);
            negated = guard[0][1] == '!';
            predicate = Register(guard[0][(negated ? 2 : 1)..]);
            statement = guard[1].Trim();
        }

        string[] parts = statement.Split((char[])[' ', '\t'], 2, StringSplitOptions.RemoveEmptyEntries);
        string[] operands = parts.Length == 1
            ? []
            : [.. OperandList().Matches(parts[1]).Select(match => match.Value.Trim())];
        return new PtxInstruction(predicate, negated, parts[0], parts[0].Split('.'), operands, text);
    }

    [GeneratedRegex(@"\.entry\s+\w+\(\s*\.param\s+\.align\s+\d+\s+\.b8\s+(?<parameter>\w+)\[(?<bytes>\d+)\]\s*\)")]
    private static partial Regex Entry();

    [GeneratedRegex(@"(\.extern\s+)?\.shared\s+[^;]+(?=;)")]
    private static partial Regex ModuleShared();

    [GeneratedRegex(@"(?<name>L_\w+):")]
    private static partial Regex Label();

    [GeneratedRegex(@"\.reg\s+\.\w+\s+(?<name>%\w+)<(?<count>\d+)>")]
    private static partial Regex ManyRegisters();

    [GeneratedRegex(@"\.(?<space>shared|local)\s+(\.align\s+\d+\s+)?\.\w+\s+(?<name>\w+)\[(?<bytes>\d*)\]")]
    private static partial Regex Memory();

    [GeneratedRegex(@"\{[^}]*\}|\[[^\]]*\]|[^,{}\[\]]*[^,{}\[\]\s]")]
    private static partial Regex OperandList();
}
