// Runs the PTX of a kernel on the CPU, thread by thread. Red here: a kernel's text reads or writes where it may not,
// meets at a barrier or shuffle with lanes missing, or races in shared memory.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Runtime.InteropServices;
using RingFlash.Reference.Devices;

namespace RingFlash.Reference.Tests.Devices.Ptx;

/// <summary>
/// An interpreter of the instructions that ILGPU and our intrinsics write, with IEEE 754 arithmetic. It shows, with no
/// card, that the text that a driver would be given computes the bits that the C# computes. It is strict where hardware
/// is silent: every address is checked against the views, all lanes must meet in a shuffle and all threads at a
/// barrier, shared memory may not be touched by two threads between barriers when one writes, and the read-only path
/// may not see an array that the launch writes.
/// </summary>
internal sealed class PtxMachine
{
    private readonly PtxProgram program;
    private readonly Action<PtxThread>[] actions;
    private readonly List<GlobalRange> ranges = [];
    private byte[] parameters = [];
    private PtxSharedMemory shared = new(0);

    public PtxMachine(string ptx)
    {
        program = new PtxProgram(ptx);
        actions = [.. program.Instructions.Select((instruction, index) => Compile(instruction, index))];
    }

    /// <summary>Launches the kernel.</summary>
    public void Run(byte[] arguments, IEnumerable<(long Address, long Bytes)> views, LaunchGrid grid, int warps)
    {
        if (arguments.Length > program.ParameterBytes)
        {
            throw new InvalidOperationException($"{arguments.Length} bytes for {program.ParameterBytes} of parameters");
        }

        parameters = new byte[program.ParameterBytes];
        arguments.CopyTo(parameters, 0);
        ranges.Clear();
        ranges.AddRange(views.Select(view => new GlobalRange(view.Address, view.Bytes)));
        for (int z = 0; z < grid.Z; z++)
        {
            for (int y = 0; y < grid.Y; y++)
            {
                for (int x = 0; x < grid.X; x++)
                {
                    RunGroup(grid, x, y, z, warps);
                }
            }
        }
    }

    private void RunGroup(LaunchGrid grid, int x, int y, int z, int warps)
    {
        shared = new PtxSharedMemory(program.SharedBytes + grid.SharedBytes);
        PtxThread[] threads = [.. Enumerable.Range(0, 32 * warps)
            .Select(number => new PtxThread(number, program.RegisterCount, program.LocalBytes))];
        foreach (PtxThread thread in threads)
        {
            int lane = thread.Number % 32;
            Set(thread, "tid", lane, thread.Number / 32, 0);
            Set(thread, "ntid", 32, warps, 1);
            Set(thread, "ctaid", x, y, z);
            Set(thread, "nctaid", grid.X, grid.Y, grid.Z);
            thread.Registers[program.Register("%laneid")] = (ulong)lane;
            thread.Registers[program.Register("%dynamic_smem_size")] = (ulong)grid.SharedBytes;
        }

        while (threads.Any(thread => thread.State != PtxState.Done))
        {
            foreach (PtxThread thread in threads)
            {
                while (thread.State == PtxState.Running)
                {
                    Step(thread);
                }
            }

            Meet(threads);
        }
    }

    private void Step(PtxThread thread)
    {
        PtxInstruction instruction = program.Instructions[thread.Next];
        bool active = instruction.Predicate < 0
            || ((thread.Registers[instruction.Predicate] & 1) != 0) != instruction.Negated;
        int place = thread.Next++;
        if (active)
        {
            try
            {
                actions[place](thread);
            }
            catch (Exception error) when (error is not PtxFault)
            {
                throw new PtxFault($"thread {thread.Number}: {instruction.Text}: {error.Message}");
            }
        }
    }

    /// <summary>Everybody waits or is done: exchanges in whole warps, else opens the barrier for all.</summary>
    private void Meet(PtxThread[] threads)
    {
        bool exchanged = false;
        foreach (PtxThread[] warp in threads.Chunk(32))
        {
            if (warp.Any(thread => thread.State == PtxState.AtShuffle))
            {
                Together(warp, PtxState.AtShuffle);
                Exchange(warp, program.Instructions[warp[0].Next - 1]);
                exchanged = true;
            }
            else if (warp.Any(thread => thread.State == PtxState.AtWarpBarrier))
            {
                Together(warp, PtxState.AtWarpBarrier);
                shared.PassWarpBarrier(warp[0].Number / 32);
                Array.ForEach(warp, thread => thread.State = PtxState.Running);
                exchanged = true;
            }
        }

        if (!exchanged && threads.Any(thread => thread.State == PtxState.AtBarrier))
        {
            Together(threads, PtxState.AtBarrier);
            shared.PassBarrier();
            foreach (PtxThread thread in threads)
            {
                thread.State = PtxState.Running;
            }
        }
    }

    private void Together(PtxThread[] threads, PtxState state)
    {
        if (threads.FirstOrDefault(thread => thread.State != state || thread.Next != threads[0].Next) is { } other)
        {
            PtxThread waiting = threads.First(thread => thread.State == state);
            throw new PtxFault(
                $"thread {waiting.Number} waits in '{program.Instructions[waiting.Next - 1].Text}', but thread "
                + $"{other.Number} is {other.State} behind '{program.Instructions[other.Next - 1].Text}'");
        }
    }

    private void Exchange(PtxThread[] warp, PtxInstruction instruction)
    {
        if (instruction.Words[0] != "shfl")
        {
            PtxMatrixUnit.Run(program, shared, warp, instruction);
            return;
        }

        // shfl.sync.mode.b32 d, a, b, c, mask;
        string[] operands = instruction.Operands;
        int to = program.Register(operands[0].Split('|')[0]);
        PtxOperand value = program.Operand(operands[1]), lane = program.Operand(operands[2]);
        if (program.Operand(operands[4]).Number is not (0xFFFFFFFF or ulong.MaxValue))
        {
            throw new PtxFault($"{instruction.Text}: not over all lanes");
        }

        ulong[] values = [.. warp.Select(thread => value.Read(thread.Registers))];
        for (int i = 0; i < warp.Length; i++)
        {
            int argument = (int)lane.Read(warp[i].Registers);
            int source = instruction.Words[2] switch
            {
                "bfly" => i ^ argument,
                "down" => i + argument,
                "up" => i - argument,
                _ => argument & 31,
            };
            warp[i].Registers[to] = values[source is >= 0 and < 32 ? source : i];
            warp[i].State = PtxState.Running;
        }
    }

    private Action<PtxThread> Compile(PtxInstruction instruction, int index)
    {
        string[] words = instruction.Words, operands = instruction.Operands;
        switch (words[0])
        {
            case "ret":
                return thread => thread.State = PtxState.Done;
            case "bra":
                int target = program.Label(operands[0]);
                return thread => thread.Next = target;
            case "bar" when words[1] == "warp":
                return thread => thread.State = PtxState.AtWarpBarrier;
            case "bar":
                return thread => thread.State = PtxState.AtBarrier;
            case "shfl":
            case "ldmatrix":
            case "mma":
                return thread => thread.State = PtxState.AtShuffle;
            case "cp":
                return CompileCopy(instruction);
            case "ld":
            case "st":
                return CompileAccess(words, operands);
        }

        Func<ulong, ulong, ulong, ulong> function =
            PtxArithmetic.Find(words) ?? throw new NotSupportedException(instruction.Text);
        int result = program.Register(operands[0]);
        PtxOperand[] from = [.. operands.Skip(1).Select(program.Operand)];
        return from.Length switch
        {
            1 => thread => thread.Registers[result] = function(from[0].Read(thread.Registers), 0, 0),
            2 => thread => thread.Registers[result] =
                function(from[0].Read(thread.Registers), from[1].Read(thread.Registers), 0),
            3 => thread => thread.Registers[result] = function(
                from[0].Read(thread.Registers), from[1].Read(thread.Registers), from[2].Read(thread.Registers)),
            _ => throw new NotSupportedException($"{instruction.Text} at {index}"),
        };
    }

    /// <summary>
    /// Copies to shared memory arrive as late as they may: at the wait. Until then there is rubbish in their place.
    /// </summary>
    private Action<PtxThread> CompileCopy(PtxInstruction instruction)
    {
        string[] operands = instruction.Operands;
        switch (instruction.Opcode)
        {
            case "cp.async.commit_group":
                return thread => thread.Copies.Add([]);
            case "cp.async.wait_group":
                int younger = (int)program.Operand(operands[0]).Number;
                return thread =>
                {
                    for (; thread.Copies.Count - 1 > younger; thread.Copies.RemoveAt(0))
                    {
                        foreach (PtxCopy copy in thread.Copies[0])
                        {
                            copy.Bytes.CopyTo(shared.Access(thread.Number, copy.Place, 16, store: true));
                        }
                    }
                };
            case "cp.async.cg.shared.global" when operands[2] == "16":
                PtxOperand to = program.Operand(operands[0].Trim('[', ']'));
                PtxOperand from = program.Operand(operands[1].Trim('[', ']')), count = program.Operand(operands[3]);
                return thread =>
                {
                    int place = (int)to.Read(thread.Registers), bytes = (int)count.Read(thread.Registers);
                    long source = (long)from.Read(thread.Registers);
                    if (source % 16 != 0)
                    {
                        throw new PtxFault($"thread {thread.Number}: 16 bytes at {source}, which is not aligned");
                    }

                    byte[] values = new byte[16];
                    if (bytes != 0)
                    {
                        Find(thread, "global", source, bytes, store: false, readOnly: true).CopyTo(values);
                    }

                    Find(thread, "shared", place, 16, store: true, readOnly: false).Fill(0xFF);
                    thread.Copies[^1].Add(new PtxCopy(place, values));
                };
            default:
                throw new NotSupportedException(instruction.Text);
        }
    }

    private Action<PtxThread> CompileAccess(string[] words, string[] operands)
    {
        bool store = words[0] == "st";
        string space = words[1], type = words[^1];
        int bytes = Math.Max(1, PtxTypes.Bits(type) / 8);
        string address = operands[store ? 0 : 1].Trim('[', ']');
        string[] values = [.. operands[store ? 1 : 0].Trim('{', '}').Split(',').Select(value => value.Trim())];
        string[] parts = address.Split('+');
        ulong offset = parts.Length > 1 ? program.Operand(parts[1]).Number : 0;
        PtxOperand start = space == "param" ? default : program.Operand(parts[0]);
        PtxOperand[] registers = [.. values.Select(program.Operand)];
        bool readOnly = words.Contains("nc");
        return thread =>
        {
            ulong place = (space == "param" ? 0 : start.Read(thread.Registers)) + offset;
            Span<byte> memory = Find(thread, space, (long)place, bytes * registers.Length, store, readOnly);
            for (int i = 0; i < registers.Length; i++)
            {
                Span<byte> element = memory.Slice(i * bytes, bytes);
                if (store)
                {
                    ulong value = registers[i].Read(thread.Registers);
                    MemoryMarshal.AsBytes(new Span<ulong>(ref value))[..bytes].CopyTo(element);
                }
                else
                {
                    ulong value = 0;
                    element.CopyTo(MemoryMarshal.AsBytes(new Span<ulong>(ref value)));
                    thread.Registers[registers[i].Register] = type[0] == 's' && bytes < 4
                        ? (uint)PtxTypes.Integer(type, value)
                        : value;
                }
            }
        };
    }

    private unsafe Span<byte> Find(PtxThread thread, string space, long place, int bytes, bool store, bool readOnly)
    {
        if (place % bytes != 0)
        {
            throw new PtxFault($"thread {thread.Number}: {bytes} bytes at {place}, which is not aligned");
        }

        switch (space)
        {
            case "param":
                return parameters.AsSpan((int)place, bytes);
            case "local":
                return thread.Local.AsSpan((int)place, bytes);
            case "shared":
                return shared.Access(thread.Number, (int)place, bytes, store);
            case "global":
                GlobalRange range = ranges.Find(candidate => candidate.Holds(place, bytes))
                    ?? throw new PtxFault($"thread {thread.Number}: {bytes} bytes at {place} lie in no view");
                range.Written |= store;
                range.ReadOnly |= readOnly;
                return range.Written && range.ReadOnly
                    ? throw new PtxFault($"thread {thread.Number}: an array is written and read as read-only")
                    : new Span<byte>((void*)place, bytes);
            default:
                throw new PtxFault($"thread {thread.Number}: access to {space}");
        }
    }

    private void Set(PtxThread thread, string name, int x, int y, int z)
    {
        thread.Registers[program.Register($"%{name}.x")] = (ulong)x;
        thread.Registers[program.Register($"%{name}.y")] = (ulong)y;
        thread.Registers[program.Register($"%{name}.z")] = (ulong)z;
    }

    private sealed class GlobalRange(long address, long bytes)
    {
        public bool Written { get; set; }

        public bool ReadOnly { get; set; }

        public bool Holds(long place, int count) => place >= address && place + count <= address + bytes;
    }
}
