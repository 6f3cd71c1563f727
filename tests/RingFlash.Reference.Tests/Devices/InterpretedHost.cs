// A device whose kernels are the PTX that a driver would be given. Red nowhere by itself.
using System;
using System.Collections.Generic;
using System.IO;
using System.Reflection;
using ILGPU;
using ILGPU.Runtime;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Tests.Devices.Ptx;

namespace RingFlash.Reference.Tests.Devices;

/// <summary>
/// Memory as on the CPU accelerator; launches are compiled to PTX, corrected and interpreted by
/// <see cref="PtxMachine"/>. It asks for the fast kernels, as a card does.
/// </summary>
public sealed class InterpretedHost(int warps) : KernelHost(warps)
{
    private const BindingFlags Fields = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic;

    private static readonly Dictionary<MethodInfo, string> Texts = [];

    private readonly Dictionary<MethodInfo, PtxMachine> machines = [];

    /// <inheritdoc/>
    public override bool PrefersFast => true;

    /// <inheritdoc/>
    public override int MostGroups => 2;

    /// <inheritdoc/>
    public override int MostWarps => 4;

    /// <inheritdoc/>
    protected override void LaunchAligned<TArguments>(
        Action<TArguments> kernel, in LaunchGrid grid, in TArguments arguments)
    {
        MethodInfo method = kernel.Method;
        if (!machines.TryGetValue(method, out PtxMachine? machine))
        {
            machine = new PtxMachine(TextOf(method));
            machines.Add(method, machine);
        }

        List<(long Address, long Bytes)> views = [];
        using MemoryStream bytes = new();
        Write(arguments, typeof(TArguments), bytes, views);
        machine.Run(bytes.ToArray(), views, grid, grid.Warps == 0 ? Warps : grid.Warps);
    }

    private static string TextOf(MethodInfo method)
    {
        lock (Texts)
        {
            if (!Texts.TryGetValue(method, out string? text))
            {
                KernelAttribute declared = method.GetCustomAttribute<KernelAttribute>()!;
                text = PtxCompiler.Compile(new KernelEntry(method.Name, method, declared));
                Texts.Add(method, text);
            }

            return text;
        }
    }

    /// <summary>The bytes that a launch passes: views as address and length, structs field by field.</summary>
    private static void Write(object value, Type type, MemoryStream to, List<(long Address, long Bytes)> views)
    {
        if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(ArrayView<>))
        {
            (long address, long length, int size) = ((long, long, int))typeof(InterpretedHost)
                .GetMethod(nameof(Describe), BindingFlags.Static | BindingFlags.NonPublic)!
                .MakeGenericMethod(type.GetGenericArguments())
                .Invoke(null, [value])!;
            Append(to, BitConverter.GetBytes(address));
            Append(to, BitConverter.GetBytes(length));
            views.Add((address, length * size));
        }
        else if (type.IsPrimitive)
        {
            Append(to, value switch
            {
                int number => BitConverter.GetBytes(number),
                uint number => BitConverter.GetBytes(number),
                float number => BitConverter.GetBytes(number),
                long number => BitConverter.GetBytes(number),
                ulong number => BitConverter.GetBytes(number),
                byte number => [number],
                _ => throw new NotSupportedException($"an argument of type {type.Name}"),
            });
        }
        else
        {
            // A struct starts where its widest field may lie; all of ours that hold a view need 8 bytes.
            Pad(to, AlignmentOf(type));
            foreach (FieldInfo field in type.GetFields(Fields))
            {
                Write(field.GetValue(value)!, field.FieldType, to, views);
            }

            Pad(to, AlignmentOf(type));
        }
    }

    private static int AlignmentOf(Type type)
    {
        if (type.IsGenericType || type == typeof(long) || type == typeof(ulong))
        {
            return 8;
        }

        if (type.IsPrimitive)
        {
            return type == typeof(byte) ? 1 : 4;
        }

        int most = 1;
        foreach (FieldInfo field in type.GetFields(Fields))
        {
            most = Math.Max(most, AlignmentOf(field.FieldType));
        }

        return most;
    }

    private static void Append(MemoryStream to, byte[] bytes)
    {
        Pad(to, bytes.Length);
        to.Write(bytes);
    }

    private static void Pad(MemoryStream to, int alignment)
    {
        while (to.Length % alignment != 0)
        {
            to.WriteByte(0);
        }
    }

    private static (long Address, long Length, int Size) Describe<T>(ArrayView<T> view)
        where T : unmanaged =>
        (view.Length == 0 ? 0 : (long)view.LoadEffectiveAddressAsPtr(), view.Length, Interop.SizeOf<T>());
}
