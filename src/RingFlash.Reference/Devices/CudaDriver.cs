using System;
using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using ILGPU;
using ILGPU.Runtime.Cuda;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Devices;

/// <summary>NVIDIA's driver library: where it is, whether it has a card, and the one call that ILGPU lacks.</summary>
internal static unsafe class CudaDriver
{
    /// <summary>The attribute of a function that allows more dynamic shared memory than 48 KB.</summary>
    private const int MaximumDynamicSharedBytes = 8;

    /// <summary>The architecture of the kernels: Hopper.</summary>
    private const int RequiredCapability = 9;

    private static readonly string[] Places = ["libcuda.so.1", "/usr/local/nvidia/lib64/libcuda.so.1"];

    private static readonly IntPtr Library = Open();

    /// <summary>Why kernels cannot run on a card here; null when they can.</summary>
    /// <returns>The reason, for people.</returns>
    public static string? WhyNot()
    {
        if (Library == IntPtr.Zero)
        {
            return $"{Places[0]} is not found (no NVIDIA driver on this machine)";
        }

        delegate* unmanaged<uint, int> initialise = (delegate* unmanaged<uint, int>)Export("cuInit");
        if (initialise(0) is int error and not 0)
        {
            return string.Create(
                CultureInfo.InvariantCulture, $"the NVIDIA driver finds no card (cuInit: error {error})");
        }

        int count, major;
        delegate* unmanaged<int*, int> countDevices = (delegate* unmanaged<int*, int>)Export("cuDeviceGetCount");
        if (countDevices(&count) != 0 || count == 0)
        {
            return "the NVIDIA driver finds no card";
        }

        // Attribute 75 is the major compute capability, asked of device 0, which is the one that is used.
        delegate* unmanaged<int*, int, int, int> attribute =
            (delegate* unmanaged<int*, int, int, int>)Export("cuDeviceGetAttribute");
        return attribute(&major, 75, 0) != 0 || major < RequiredCapability
            ? string.Create(
                CultureInfo.InvariantCulture,
                $"the first card has compute capability {major}.x; the kernels are for 9.0 (Hopper) and later")
            : null;
    }

    /// <summary>Lets ILGPU find the library under the name that drivers install; before a context is made.</summary>
    public static void ResolveForIlgpu() => _ = Resolver.Installed;

    /// <summary>Allows a kernel more than 48 KB of dynamic shared memory.</summary>
    /// <param name="kernel">The loaded kernel.</param>
    /// <param name="bytes">The bytes.</param>
    /// <exception cref="EnvironmentException">The card has less.</exception>
    public static void AllowSharedMemory(CudaKernel kernel, int bytes)
    {
        delegate* unmanaged<IntPtr, int, int, int> set =
            (delegate* unmanaged<IntPtr, int, int, int>)Export("cuFuncSetAttribute");
        if (set(kernel.FunctionPtr, MaximumDynamicSharedBytes, bytes) is int error and not 0)
        {
            throw new EnvironmentException(
                "cuda",
                string.Create(CultureInfo.InvariantCulture, $"{bytes} bytes of shared memory refused (error {error})"));
        }
    }

    private static IntPtr Open()
    {
        foreach (string place in Places)
        {
            if (NativeLibrary.TryLoad(place, out IntPtr library))
            {
                return library;
            }
        }

        return IntPtr.Zero;
    }

    private static IntPtr Export(string name) => NativeLibrary.GetExport(Library, name);

    /// <summary>ILGPU asks for "cuda", that is libcuda.so, a name that only toolkits install.</summary>
    private static class Resolver
    {
        public static readonly bool Installed = Install();

        private static bool Install()
        {
            NativeLibrary.SetDllImportResolver(
                typeof(Context).Assembly,
                (string name, Assembly _, DllImportSearchPath? _) => name == "cuda" ? Library : IntPtr.Zero);
            return true;
        }
    }
}
