using System;
using System.Linq;
using ILGPU;
using ILGPU.Backends.PTX;
using ILGPU.IR;
using ILGPU.IR.Types;

namespace RingFlash.Reference.Devices;

/// <summary>What the PTX generators of <see cref="DeviceIntrinsics"/> are written with.</summary>
internal static class PtxWriter
{
    /// <summary>The register of an argument.</summary>
    /// <param name="code">The generator.</param>
    /// <param name="call">The call of the intrinsic.</param>
    /// <param name="index">The argument's number.</param>
    /// <returns>Its name.</returns>
    public static string Argument(PTXCodeGenerator code, Value call, int index) =>
        Name(code.EnsureHardwareRegister(code.LoadPrimitive(call[index])));

    /// <summary>The registers of an argument that is a struct, as a PTX vector.</summary>
    /// <param name="code">The generator.</param>
    /// <param name="call">The call of the intrinsic.</param>
    /// <param name="index">The argument's number.</param>
    /// <returns>{a, b, …}.</returns>
    public static string VectorArgument(PTXCodeGenerator code, Value call, int index) =>
        Vector(code, code.Load(call[index]));

    /// <summary>The register of the result.</summary>
    /// <param name="code">The generator.</param>
    /// <param name="call">The call of the intrinsic.</param>
    /// <returns>Its name.</returns>
    public static string Result(PTXCodeGenerator code, Value call) => Name(code.AllocateHardware(call));

    /// <summary>The registers of a result that is a struct, as a PTX vector.</summary>
    /// <param name="code">The generator.</param>
    /// <param name="call">The call of the intrinsic.</param>
    /// <returns>{a, b, …}.</returns>
    public static string VectorResult(PTXCodeGenerator code, Value call) => Vector(code, code.Allocate(call));

    /// <summary>
    /// A 64-bit global address of a <c>ref</c> argument in the register <paramref name="register"/>, which the caller
    /// declares. ILGPU hands the reference over in its own space or in the generic one; converting an address that is
    /// global already would be wrong, and nothing downstream would notice.
    /// </summary>
    /// <param name="code">The generator.</param>
    /// <param name="call">The call of the intrinsic.</param>
    /// <param name="index">The argument's number.</param>
    /// <param name="register">The register to fill.</param>
    /// <returns>One instruction.</returns>
    public static string GlobalAddress(PTXCodeGenerator code, Value call, int index, string register) =>
        Space(call[index]) switch
        {
            MemoryAddressSpace.Global => $"mov.u64 {register}, {Argument(code, call, index)};",
            MemoryAddressSpace.Generic => $"cvta.to.global.u64 {register}, {Argument(code, call, index)};",
            MemoryAddressSpace other => throw new NotSupportedException($"a global reference is needed, not {other}"),
        };

    /// <summary>A 32-bit shared address of a <c>ref</c> argument, as <see cref="GlobalAddress"/>.</summary>
    /// <param name="code">The generator.</param>
    /// <param name="call">The call of the intrinsic.</param>
    /// <param name="index">The argument's number.</param>
    /// <param name="register">The register to fill.</param>
    /// <returns>The instructions.</returns>
    public static string SharedAddress(PTXCodeGenerator code, Value call, int index, string register)
    {
        string source = Argument(code, call, index);
        return Space(call[index]) switch
        {
            MemoryAddressSpace.Shared => $"cvt.u32.u64 {register}, {source};",
            MemoryAddressSpace.Generic =>
                $"{{ .reg .u64 wide; cvta.to.shared.u64 wide, {source}; cvt.u32.u64 {register}, wide; }}",
            MemoryAddressSpace other => throw new NotSupportedException($"a shared reference is needed, not {other}"),
        };
    }

    private static MemoryAddressSpace Space(Value value) => ((PointerType)value.Type).AddressSpace;

    private static string Vector(PTXCodeGenerator code, PTXCodeGenerator.Register register) =>
        "{" + string.Join(", ", ((PTXCodeGenerator.CompoundRegister)register).Children
            .Select(child => Name(code.EnsureHardwareRegister((PTXCodeGenerator.PrimitiveRegister)child)))) + "}";

    private static string Name(PTXCodeGenerator.HardwareRegister register) =>
        "%" + PTXRegisterAllocator.GetStringRepresentation(register);
}
