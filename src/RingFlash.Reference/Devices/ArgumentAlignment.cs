using System;
using System.Linq;
using System.Linq.Expressions;
using System.Reflection;
using ILGPU;
using ILGPU.Runtime;

namespace RingFlash.Reference.Devices;

/// <summary>Finds views that a 16-byte load would fault on; ILGPU believes that every view is aligned.</summary>
/// <typeparam name="TArguments">The arguments of a kernel.</typeparam>
internal static class ArgumentAlignment<TArguments>
    where TArguments : struct
{
    /// <summary>What the 16-byte loads need.</summary>
    private const long Required = 16;

    /// <summary>All addresses of views, combined by or; compiled, because this runs at every launch.</summary>
    private static readonly Func<TArguments, long> Addresses = Compile();

    /// <summary>Whether every view starts on a multiple of 16 bytes.</summary>
    /// <param name="arguments">The arguments.</param>
    /// <returns>Whether all do.</returns>
    public static bool Holds(in TArguments arguments) => Addresses(arguments) % Required == 0;

    private static Func<TArguments, long> Compile()
    {
        ParameterExpression arguments = Expression.Parameter(typeof(TArguments));
        MethodInfo address = typeof(ArgumentAlignment<TArguments>)
            .GetMethod(nameof(AddressOf), BindingFlags.Static | BindingFlags.NonPublic)!;
        Expression all = typeof(TArguments)
            .GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic)
            .Where(field => field.FieldType.IsGenericType
                && field.FieldType.GetGenericTypeDefinition() == typeof(ArrayView<>))
            .Select(field => (Expression)Expression.Call(
                address.MakeGenericMethod(field.FieldType.GetGenericArguments()),
                Expression.Field(arguments, field)))
            .Aggregate((Expression)Expression.Constant(0L), Expression.Or);
        return Expression.Lambda<Func<TArguments, long>>(all, arguments).Compile();
    }

    private static long AddressOf<T>(ArrayView<T> view)
        where T : unmanaged => view.Length == 0 ? 0 : (long)view.LoadEffectiveAddressAsPtr();
}
