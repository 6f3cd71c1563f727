using System;
using System.Collections.Generic;
using System.Linq;
using System.Reflection;

namespace RingFlash.Reference.Devices;

/// <summary>One kernel, ready to be compiled.</summary>
/// <param name="Name">Class, method and type arguments, as people read them.</param>
/// <param name="Method">The method, closed.</param>
/// <param name="Declared">What it says of itself.</param>
public sealed record KernelEntry(string Name, MethodInfo Method, KernelAttribute Declared)
{
    /// <inheritdoc/>
    public override string ToString() => Name;
}

/// <summary>Finds the kernels: every method with <see cref="KernelAttribute"/>.</summary>
public static class KernelCatalogue
{
    private const BindingFlags Static = BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic;

    /// <summary>The kernels of an assembly, in the order of their names.</summary>
    /// <param name="assembly">The assembly.</param>
    /// <returns>One entry per kernel and fitting type argument.</returns>
    public static IReadOnlyList<KernelEntry> Of(Assembly assembly)
    {
        ArgumentNullException.ThrowIfNull(assembly);
        return [.. assembly.GetTypes()
            .SelectMany(type => type.GetMethods(Static))
            .Where(method => method.IsDefined(typeof(KernelAttribute)))
            .SelectMany(Close)
            .Select(Describe)
            .OrderBy(entry => entry.Name, StringComparer.Ordinal)];
    }

    private static KernelEntry Describe(MethodInfo method)
    {
        string arguments = string.Join(", ", method.GetGenericArguments().Select(type => type.Name));
        string name = $"{method.DeclaringType!.Name}.{method.Name}" + (arguments.Length == 0 ? "" : $"<{arguments}>");
        return new KernelEntry(name, method, method.GetCustomAttribute<KernelAttribute>()!);
    }

    private static IEnumerable<MethodInfo> Close(MethodInfo method)
    {
        if (!method.IsGenericMethodDefinition)
        {
            return [method];
        }

        IEnumerable<Type[]> choices = [[]];
        foreach (Type parameter in method.GetGenericArguments())
        {
            Type constraint = parameter.GetGenericParameterConstraints().Single(type => type.IsInterface);
            Type[] fitting = [.. constraint.Assembly.GetTypes()
                .Where(type => type.IsValueType && constraint.IsAssignableFrom(type))];
            choices = [.. choices.SelectMany(chosen => fitting.Select(type => (Type[])[.. chosen, type]))];
        }

        return choices.Select(types => method.MakeGenericMethod(types));
    }
}
