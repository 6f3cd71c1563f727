using System;
using System.Collections.Generic;
using System.Linq;

namespace RingFlash.Cli.ServerCheck;

/// <summary>Differences of log-probabilities, summed up.</summary>
internal sealed class Differences
{
    private readonly List<double> all = [];
    private double sum;
    private double squares;

    /// <summary>Numbers compared.</summary>
    public int Count { get; private set; }

    /// <summary>Those that are the same float32.</summary>
    public int Equal { get; private set; }

    /// <summary>The largest one.</summary>
    public double Maximum { get; private set; }

    /// <summary>The mean of the absolute values; NaN where nothing was compared.</summary>
    public double Mean => sum / Count;

    /// <summary>The root of the mean square; NaN where nothing was compared.</summary>
    public double RootMeanSquare => Math.Sqrt(squares / Count);

    /// <summary>The upper median of the absolute values; 0 where nothing was compared.</summary>
    public double Median => Count == 0 ? 0 : all.Order().ElementAt(Count / 2);

    /// <summary>Whether every number is the same float32, and there is one.</summary>
    public bool AllEqual => Count > 0 && Equal == Count;

    /// <summary>Adds one.</summary>
    /// <param name="other">The other's number; a server's float32 may come as a float64 or in fewer digits.</param>
    /// <param name="own">Ours.</param>
    /// <returns>Whether it is the largest so far.</returns>
    public bool Add(double other, float own)
    {
        double difference = Math.Abs(other - own);
        Count++;
        all.Add(difference);
        Equal += BitConverter.SingleToInt32Bits((float)other + 0f) == BitConverter.SingleToInt32Bits(own + 0f) ? 1 : 0;
        sum += difference;
        squares += difference * difference;
        bool largest = difference > Maximum || Count == 1;
        Maximum = Math.Max(Maximum, difference);
        return largest;
    }
}
