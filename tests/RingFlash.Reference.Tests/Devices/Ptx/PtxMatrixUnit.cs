// Tensor core instructions of PtxMachine. Red nowhere by itself.
using System;
using System.Linq;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Tests.Devices.Ptx;

/// <summary>
/// <c>ldmatrix</c> and <c>mma.sync</c> of a warp. Sums are as careless as any hardware is known to be: every addend is
/// cut off at 2^-23 of the largest one's power of two, their sum is exact and cut off once more.
/// </summary>
internal static class PtxMatrixUnit
{
    public static void Run(PtxProgram program, PtxSharedMemory shared, PtxThread[] warp, PtxInstruction instruction)
    {
        switch (instruction.Opcode)
        {
            case "ldmatrix.sync.aligned.m8n8.x4.shared.b16":
                Load(program, shared, warp, instruction.Operands);
                break;
            case "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32":
                Multiply(program, warp, instruction.Operands);
                break;
            default:
                throw new NotSupportedException(instruction.Text);
        }

        foreach (PtxThread thread in warp)
        {
            thread.State = PtxState.Running;
        }
    }

    private static void Load(PtxProgram program, PtxSharedMemory shared, PtxThread[] warp, string[] operands)
    {
        int[] to = Registers(program, operands[0]);
        PtxOperand row = program.Operand(operands[1].Trim('[', ']'));
        int[] places = [.. warp.Select(thread => (int)row.Read(thread.Registers))];
        if (places.FirstOrDefault(place => place % 16 != 0) is int odd and not 0)
        {
            throw new PtxFault($"a row of a matrix at {odd}, which is not aligned");
        }

        for (int lane = 0; lane < warp.Length; lane++)
        {
            for (int matrix = 0; matrix < to.Length; matrix++)
            {
                int place = places[(8 * matrix) + (lane >> 2)] + (4 * (lane & 3));
                warp[lane].Registers[to[matrix]] =
                    BitConverter.ToUInt32(shared.Access(warp[lane].Number, place, 4, store: false));
            }
        }
    }

    private static void Multiply(PtxProgram program, PtxThread[] warp, string[] operands)
    {
        int[] to = Registers(program, operands[0]), left = Registers(program, operands[1]);
        int[] right = Registers(program, operands[2]), sums = Registers(program, operands[3]);
        float[,] a = new float[16, 16], b = new float[16, 8];
        for (int lane = 0; lane < warp.Length; lane++)
        {
            for (int i = 0; i < 8; i++)
            {
                int register = i >> 1, row = (lane >> 2) + (8 * (register & 1));
                int k = (2 * (lane & 3)) + (i & 1) + (8 * (register >> 1));
                a[row, k] = Element(warp[lane].Registers[left[register]], i & 1);
            }

            for (int i = 0; i < 4; i++)
            {
                int k = (2 * (lane & 3)) + (i & 1) + (8 * (i >> 1));
                b[k, lane >> 2] = Element(warp[lane].Registers[right[i >> 1]], i & 1);
            }
        }

        foreach (PtxThread thread in warp)
        {
            int lane = thread.Number % 32;
            ulong[] results = [.. sums.Select((register, i) =>
            {
                int row = (lane >> 2) + (8 * (i >> 1)), column = (2 * (lane & 3)) + (i & 1);
                double[] addends = [.. Enumerable.Range(0, 16).Select(k => (double)a[row, k] * b[k, column]),
                    PtxTypes.Single(thread.Registers[register])];
                return PtxTypes.BitsOf(Sum(addends));
            })];
            for (int i = 0; i < to.Length; i++)
            {
                thread.Registers[to[i]] = results[i];
            }
        }
    }

    private static float Sum(double[] addends)
    {
        double largest = addends.Max(Math.Abs), sum = addends.Sum();
        if (!double.IsFinite(sum) || largest == 0)
        {
            return (float)sum;
        }

        double unit = Math.ScaleB(1, Math.Max(Math.ILogB(largest), -126) - 23);
        sum = addends.Sum(addend => Math.Truncate(addend / unit) * unit); // multiples of unit: exact
        float nearest = (float)sum;
        return Math.Abs((double)nearest) > Math.Abs(sum)
            ? MathF.CopySign(MathF.BitDecrement(MathF.Abs(nearest)), nearest)
            : nearest;
    }

    private static float Element(ulong pair, int half) => BFloat16.ToSingle((ushort)(pair >> (16 * half)));

    private static int[] Registers(PtxProgram program, string vector) =>
        [.. vector.Trim('{', '}').Split(',').Select(name => program.Register(name.Trim()))];
}
