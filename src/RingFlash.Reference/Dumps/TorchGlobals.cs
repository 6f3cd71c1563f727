using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Checkpoint;

namespace RingFlash.Reference.Dumps;

/// <summary>
/// The names that a pickle of PyTorch needs to rebuild tensors, and what each of them means here. This list is closed:
/// no name leads to code.
/// </summary>
/// <remarks>
/// A rule that is broken is a <see cref="FormatException"/>; the pickle reader adds the place. Source: pytorch/pytorch,
/// torch/_utils.py (<c>_rebuild_tensor_v2</c>, <c>_rebuild_tensor_v3</c>, <c>_rebuild_parameter</c>) and
/// torch/serialization.py (<c>persistent_id</c>).
/// </remarks>
internal static class TorchGlobals
{
    private const int MaximumRank = 16;
    private const long MaximumRepetition = 1 << 26;

    private static readonly Dictionary<string, ElementType?> StorageTypes = new(StringComparer.Ordinal)
    {
        ["torch.FloatStorage"] = ElementType.Float32,
        ["torch.DoubleStorage"] = ElementType.Float64,
        ["torch.HalfStorage"] = ElementType.Float16,
        ["torch.BFloat16Storage"] = ElementType.BFloat16,
        ["torch.LongStorage"] = ElementType.Int64,
        ["torch.IntStorage"] = ElementType.Int32,
        ["torch.ShortStorage"] = ElementType.Int16,
        ["torch.CharStorage"] = ElementType.Int8,
        ["torch.ByteStorage"] = ElementType.UInt8,
        ["torch.BoolStorage"] = ElementType.Boolean,
        ["torch.storage.UntypedStorage"] = null,
    };

    private static readonly Dictionary<string, ElementType> DataTypes = new(StringComparer.Ordinal)
    {
        ["torch.float32"] = ElementType.Float32,
        ["torch.float64"] = ElementType.Float64,
        ["torch.float16"] = ElementType.Float16,
        ["torch.bfloat16"] = ElementType.BFloat16,
        ["torch.float8_e4m3fn"] = ElementType.Float8E4M3,
        ["torch.float8_e5m2"] = ElementType.Float8E5M2,
        ["torch.int64"] = ElementType.Int64,
        ["torch.int32"] = ElementType.Int32,
        ["torch.int16"] = ElementType.Int16,
        ["torch.int8"] = ElementType.Int8,
        ["torch.uint64"] = ElementType.UInt64,
        ["torch.uint32"] = ElementType.UInt32,
        ["torch.uint16"] = ElementType.UInt16,
        ["torch.uint8"] = ElementType.UInt8,
        ["torch.bool"] = ElementType.Boolean,
    };

    private static readonly HashSet<string> Functions = new(StringComparer.Ordinal)
    {
        "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor_v3", "torch._utils._rebuild_parameter",
        "collections.OrderedDict", "torch.Size", "torch.device",
    };

    /// <summary>The types of PyTorch by the text of their names, e.g. <c>torch.bfloat16</c>.</summary>
    /// <param name="name">The name.</param>
    /// <returns>The type, or null.</returns>
    public static ElementType? DataType(string name) => DataTypes.TryGetValue(name, out ElementType type) ? type : null;

    /// <summary>Finds an allowed name.</summary>
    /// <param name="module">The module.</param>
    /// <param name="name">The name within it.</param>
    /// <returns>The name, or null when it is not allowed.</returns>
    public static PickleGlobal? Find(string module, string name)
    {
        string full = $"{module}.{name}";
        return StorageTypes.ContainsKey(full) || DataTypes.ContainsKey(full) || Functions.Contains(full)
            ? new PickleGlobal(full)
            : null;
    }

    /// <summary>What an allowed function returns.</summary>
    /// <param name="function">The function.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <returns>The value.</returns>
    public static object? Call(PickleGlobal function, object?[] arguments) => function.Name switch
    {
        "torch._utils._rebuild_tensor_v2" => Tensor(arguments, 6, null),
        "torch._utils._rebuild_tensor_v3" => Tensor(arguments, 7, arguments.ElementAtOrDefault(6)),
        "torch._utils._rebuild_parameter" => arguments.ElementAtOrDefault(0) as TorchTensor
            ?? throw new FormatException("a parameter must hold a tensor"),
        "collections.OrderedDict" when arguments.Length == 0 => new PickleDictionary(),
        "torch.Size" when arguments is [PickleTuple size] => size,
        "torch.device" => string.Join(':', arguments.Select(argument => argument as string ?? $"{argument as long?}")),
        _ => throw new FormatException($"{function.Name} cannot be called like this"),
    };

    /// <summary>A storage from its persistent identifier.</summary>
    /// <param name="items"><c>("storage", type, key, location, number of elements)</c>.</param>
    /// <returns>The storage.</returns>
    public static TorchStorage Storage(object?[] items)
    {
        if (items is not ["storage", PickleGlobal type, string key, string, long count])
        {
            throw new FormatException("a storage is described by \"storage\", type, key, location and count");
        }

        return StorageTypes.TryGetValue(type.Name, out ElementType? elementType) && count >= 0
            ? new TorchStorage(key, elementType, count)
            : throw new FormatException($"{type.Name} of {count} elements is no storage");
    }

    // storage, offset, size, stride, requires_grad, backward_hooks, [v3: dtype,] [metadata]
    private static TorchTensor Tensor(object?[] arguments, int required, object? dataType)
    {
        if (arguments.Length < required
            || arguments is not [TorchStorage storage, long offset, PickleTuple size, PickleTuple stride, ..])
        {
            throw new FormatException("a tensor needs storage, offset, size and stride");
        }

        ElementType type;
        if (required == 7)
        {
            if (dataType is not PickleGlobal global || DataType(global.Name) is not ElementType named
                || storage.ElementType is not null)
            {
                throw new FormatException("a tensor of version 3 needs an untyped storage and a dtype");
            }

            type = named;
        }
        else
        {
            type = storage.ElementType ?? throw new FormatException("a tensor of version 2 needs a typed storage");
        }

        if (arguments.Length > required && arguments[required] is PickleDictionary { Items.Count: > 0 })
        {
            throw new FormatException("a tensor with a conjugate or negative bit is not read");
        }

        long[] shape = Integers(size, "size"), strides = Integers(stride, "stride");
        if (shape.Length != strides.Length || shape.Length > MaximumRank)
        {
            throw new FormatException($"rank {shape.Length} with {strides.Length} strides; at most {MaximumRank}");
        }

        long elements = storage.ElementType is null ? storage.Count / type.ByteCount() : storage.Count;
        CheckView(elements, offset, shape, strides);
        return new TorchTensor(storage, type, offset, shape, strides);
    }

    private static void CheckView(long elements, long offset, long[] shape, long[] strides)
    {
        Int128 count = 1, last = offset;
        for (int axis = 0; axis < shape.Length; axis++)
        {
            count *= shape[axis];
            last += (Int128)Math.Max(shape[axis] - 1, 0) * strides[axis];
            if (count > long.MaxValue || last > long.MaxValue)
            {
                throw new FormatException($"size {TensorInfo.FormatShape(shape)}: overflow");
            }
        }

        if (offset < 0 || offset > elements || (count > 0 && last >= elements))
        {
            throw new FormatException(
                $"a view of size {TensorInfo.FormatShape(shape)}, strides {TensorInfo.FormatShape(strides)} from "
                + $"element {offset} on reaches past its storage of {elements} elements");
        }

        // An expanded view is larger than what is stored; a few bytes must not pose as terabytes.
        if (count > elements && count > MaximumRepetition)
        {
            throw new FormatException(
                $"a view of size {TensorInfo.FormatShape(shape)} repeats the {elements} elements of its storage; "
                + $"at most {MaximumRepetition} are read");
        }
    }

    private static long[] Integers(PickleTuple tuple, string what)
    {
        long[] values = new long[tuple.Items.Length];
        for (int index = 0; index < values.Length; index++)
        {
            values[index] = tuple.Items[index] is long value and >= 0
                ? value
                : throw new FormatException($"{what} must hold non-negative integers");
        }

        return values;
    }
}
