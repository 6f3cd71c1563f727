using System;
using System.Collections.Generic;
using System.Reflection;
using ILGPU;
using ILGPU.Backends;
using ILGPU.Backends.EntryPoints;
using ILGPU.Backends.PTX;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;
using ILGPU.Runtime.Cuda;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Devices;

/// <summary>
/// A device with its kernels: opens it, corrects and loads each kernel once, checks what ILGPU does not, launches.
/// Nothing else knows how ILGPU is brought to do that.
/// </summary>
/// <remarks>
/// Groups are (32, <see cref="Warps"/>): <c>Group.IdxX</c> is the lane and <c>Group.IdxY</c> the warp. Kernels are
/// right for any number of warps, so that the CPU accelerator, which starts an operating system thread for every lane
/// and takes half a millisecond for a barrier, can have one.
/// </remarks>
public class KernelHost : IDisposable
{
    /// <summary>The lanes of a warp.</summary>
    public const int Lanes = 32;

    private readonly Context context;
    private readonly Dictionary<MethodInfo, LoadedKernel> kernels = [];
    private bool isBusy;

    /// <summary>Opens ILGPU's CPU accelerator, which runs the C# of the kernels.</summary>
    /// <param name="warps">The warps of a group.</param>
    protected KernelHost(int warps)
        : this(CreateContext(builder => builder.CPU(CpuShape(warps))), CpuShape(warps), warps)
    {
    }

    private KernelHost(Context context, Device device, int warps)
    {
        this.context = context;
        Accelerator = device.CreateAccelerator(context);
        Warps = warps;
    }

    /// <summary>ILGPU's device, for allocating and copying.</summary>
    public Accelerator Accelerator { get; }

    /// <summary>The warps of a group.</summary>
    public int Warps { get; }

    /// <summary>The most warps that a launch may ask for: 8 on a card, where 256 threads have 255 registers.</summary>
    public virtual int MostWarps => IsCuda ? 8 : Warps;

    /// <summary>The threads of a group.</summary>
    public int Threads => Lanes * Warps;

    /// <summary>Whether this is a card and not the CPU accelerator.</summary>
    public bool IsCuda => Accelerator.AcceleratorType == AcceleratorType.Cuda;

    /// <summary>Tensors that were brought to the device.</summary>
    public long Uploads { get; internal set; }

    /// <summary>Tensors that the host waited for and fetched.</summary>
    public long Downloads { get; internal set; }

    /// <summary>How often the host waited for kernels; not counted when there were none to wait for.</summary>
    public long Waits { get; private set; }

    /// <summary>
    /// Whether the fast kernel is launched where there are two. Their shuffles and barriers cost the CPU accelerator
    /// half a millisecond each, so it runs the naive ones; tests launch the fast ones on it by name.
    /// </summary>
    public virtual bool PrefersFast => IsCuda;

    /// <summary>
    /// The groups that a kernel whose threads stride over their work is launched with at most: enough to fill a card,
    /// and one on the CPU accelerator, which takes them one after another.
    /// </summary>
    public virtual int MostGroups => IsCuda ? 16 * Accelerator.NumMultiprocessors : 1;

    /// <summary>Opens ILGPU's CPU accelerator, which runs the C# of the kernels.</summary>
    /// <param name="warps">The warps of a group.</param>
    /// <returns>The device.</returns>
    public static KernelHost OpenCpu(int warps = 1) => new(warps);

    /// <summary>Opens the device of an engine.</summary>
    /// <param name="engine">A device engine.</param>
    /// <returns>The device.</returns>
    /// <exception cref="EnvironmentException">It is not here.</exception>
    public static KernelHost Open(ExecutionEngine engine) => engine switch
    {
        ExecutionEngine.IlgpuCpu => OpenCpu(),
        ExecutionEngine.Cuda => OpenCuda(),
        _ => throw new ArgumentOutOfRangeException(nameof(engine)),
    };

    /// <summary>Opens the first card.</summary>
    /// <returns>The device.</returns>
    /// <exception cref="EnvironmentException">There is none; the message says why.</exception>
    public static KernelHost OpenCuda()
    {
        if (WhyNoCuda() is string reason)
        {
            throw new EnvironmentException("engine cuda is not available", reason);
        }

        CudaDriver.ResolveForIlgpu();
        Context context = CreateContext(builder => builder.Cuda());
        return context.GetCudaDevices() is { Count: > 0 } devices
            ? new KernelHost(context, devices[0], warps: 4)
            : throw new EnvironmentException("engine cuda is not available", "ILGPU does not list the card");
    }

    /// <summary>Why <see cref="OpenCuda"/> would fail on this machine.</summary>
    /// <returns>The reason; null when it would not.</returns>
    public static string? WhyNoCuda() => CudaDriver.WhyNot();

    /// <summary>The grid for a kernel that strides over its work with one thread per item.</summary>
    /// <param name="items">The items.</param>
    /// <returns>As many groups as they fill, <see cref="MostGroups"/> at most.</returns>
    public LaunchGrid GridFor(long items) => new((int)Math.Min(MostGroups, (items + Threads - 1) / Threads));

    /// <summary>Launches a kernel; it runs after everything that was launched before.</summary>
    /// <typeparam name="TArguments">The kernel's arguments, views and numbers.</typeparam>
    /// <param name="kernel">A static method with <see cref="KernelAttribute"/>.</param>
    /// <param name="grid">The groups; nothing is launched for an empty grid.</param>
    /// <param name="arguments">What it works on.</param>
    /// <exception cref="ArgumentException">A view does not start on a multiple of 16 bytes.</exception>
    public void Launch<TArguments>(Action<TArguments> kernel, in LaunchGrid grid, in TArguments arguments)
        where TArguments : struct
    {
        ArgumentNullException.ThrowIfNull(kernel);
        if (!ArgumentAlignment<TArguments>.Holds(arguments))
        {
            throw new ArgumentException($"{kernel.Method.Name}: a view does not start on a multiple of 16 bytes");
        }

        if (grid.X > 0 && grid.Y > 0 && grid.Z > 0)
        {
            isBusy = true;
            Accelerator.Bind(); // a driver's context belongs to a thread; generation has one of its own
            LaunchAligned(kernel, grid, arguments);
        }
    }

    /// <summary>Waits for everything that was launched.</summary>
    public void Synchronize()
    {
        Waits += isBusy ? 1 : 0;
        isBusy = false;
        Accelerator.Synchronize();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Launches a kernel whose arguments have been checked.</summary>
    /// <typeparam name="TArguments">The kernel's arguments.</typeparam>
    /// <param name="kernel">The kernel.</param>
    /// <param name="grid">The groups, at least one.</param>
    /// <param name="arguments">The arguments.</param>
    protected virtual void LaunchAligned<TArguments>(
        Action<TArguments> kernel, in LaunchGrid grid, in TArguments arguments)
        where TArguments : struct
    {
        ArgumentNullException.ThrowIfNull(kernel);
        LoadedKernel loaded = Prepare<TArguments>(kernel.Method, grid);
        ((Action<AcceleratorStream, KernelConfig, TArguments>)loaded.Launcher)(
            Accelerator.DefaultStream, Configure(grid), arguments);
    }

    /// <summary>Frees the kernels and the device.</summary>
    /// <param name="disposing">Whether it is called by <see cref="Dispose()"/>.</param>
    protected virtual void Dispose(bool disposing)
    {
        foreach (LoadedKernel kernel in kernels.Values)
        {
            kernel.Kernel.Dispose();
        }

        Accelerator.Dispose();
        context.Dispose();
    }

    private static CPUDevice CpuShape(int warps) => new(Lanes, warps, 1);

    private static Context CreateContext(Action<Context.Builder> devices)
    {
        Context context = Context.Create(builder => devices(builder.Optimize(OptimizationLevel.O2)));
        DeviceIntrinsics.Register(context);
        return context;
    }

    private LoadedKernel Prepare<TArguments>(MethodInfo method, in LaunchGrid grid)
        where TArguments : struct
    {
        if (!kernels.TryGetValue(method, out LoadedKernel? loaded))
        {
            loaded = Load<TArguments>(method, grid);
            kernels.Add(method, loaded);
        }

        int sharedBytes = grid.SharedBytes;

        // Above 48 KB, static and dynamic together, a card has to be asked; asking for less does no harm.
        if (sharedBytes > loaded.SharedBytes && loaded.Kernel is CudaKernel kernel)
        {
            CudaDriver.AllowSharedMemory(kernel, sharedBytes);
            loaded.SharedBytes = sharedBytes;
        }

        return loaded;
    }

    private LoadedKernel Load<TArguments>(MethodInfo method, in LaunchGrid grid)
        where TArguments : struct
    {
        KernelAttribute declared = method.GetCustomAttribute<KernelAttribute>()
            ?? throw new InvalidOperationException($"{method.Name} has no [Kernel], so nothing has checked it");
        int threads = Lanes * WarpsOf(grid);
        if (threads > declared.MaximumThreads)
        {
            throw new InvalidOperationException(
                $"{method.Name} is compiled for {declared.MaximumThreads} threads; a group has {threads}");
        }

        KernelSpecialization specialization =
            IsCuda ? new KernelSpecialization(declared.MaximumThreads, null) : KernelSpecialization.Empty;
        CompiledKernel compiled = Accelerator.GetBackend().Compile(
            EntryPointDescription.FromExplicitlyGroupedKernel(method), specialization);
        if (compiled is PTXCompiledKernel ptx)
        {
            PtxPatch.Apply(ptx);
        }

        Kernel kernel = Accelerator.LoadKernel(compiled);
        return new LoadedKernel(
            kernel, kernel.CreateLauncherDelegate<Action<AcceleratorStream, KernelConfig, TArguments>>());
    }

    private int WarpsOf(in LaunchGrid grid) => grid.Warps == 0 ? Warps : grid.Warps;

    private KernelConfig Configure(in LaunchGrid grid) => new(
        new Index3D(grid.X, grid.Y, grid.Z),
        new Index3D(Lanes, WarpsOf(grid), 1),
        grid.SharedBytes == 0
            ? SharedMemoryConfig.Empty
            : SharedMemoryConfig.RequestDynamic<byte>(grid.SharedBytes));

    private sealed class LoadedKernel(Kernel kernel, Delegate launcher)
    {
        public Kernel Kernel => kernel;

        public Delegate Launcher => launcher;

        public int SharedBytes { get; set; }
    }
}
