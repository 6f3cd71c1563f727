using System;
using System.Collections.Generic;
using System.Linq;

namespace RingFlash.Reference.Benchmarks;

/// <summary>Where the middle half of some numbers lies.</summary>
/// <param name="Lower">A quarter is below.</param>
/// <param name="Median">Half is below.</param>
/// <param name="Upper">Three quarters are below.</param>
public sealed record Quartiles(double Lower, double Median, double Upper)
{
    /// <summary>Of some numbers; between two neighbours it is interpolated.</summary>
    /// <param name="numbers">At least one.</param>
    /// <returns>The quartiles.</returns>
    public static Quartiles Of(IEnumerable<double> numbers)
    {
        double[] sorted = [.. numbers.Order()];
        ArgumentOutOfRangeException.ThrowIfZero(sorted.Length, nameof(numbers));
        return new(At(0.25), At(0.5), At(0.75));

        double At(double share)
        {
            double place = share * (sorted.Length - 1);
            int below = (int)place;
            int above = Math.Min(below + 1, sorted.Length - 1);
            return sorted[below] + ((place - below) * (sorted[above] - sorted[below]));
        }
    }
}
