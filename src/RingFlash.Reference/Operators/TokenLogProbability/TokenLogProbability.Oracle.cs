using System;

namespace RingFlash.Reference.Operators;

public static partial class TokenLogProbability
{
    /// <summary>In float64.</summary>
    /// <param name="logits">[vocabulary], float64, read.</param>
    /// <param name="token">The token.</param>
    /// <returns>Nats.</returns>
    public static double Exact(ReadOnlySpan<double> logits, long token)
    {
        (double maximum, double logSum) = LogSoftmax.Exact(logits);
        return logits[(int)token] - maximum - logSum;
    }

    /// <summary>In float64 at a temperature.</summary>
    /// <param name="logits">[vocabulary], float64, read.</param>
    /// <param name="token">The token.</param>
    /// <param name="temperature">T, finite and above 0.</param>
    /// <returns>Nats.</returns>
    public static double Exact(ReadOnlySpan<double> logits, long token, double temperature)
    {
        RequireTemperature(temperature);
        double[] z = logits.ToArray();
        for (int v = 0; v < z.Length; v++)
        {
            z[v] /= temperature;
        }

        return Exact(z, token);
    }

    /// <summary>The derivative in float64: upstream · (1[v = token] − p[v]) / T of one row.</summary>
    /// <param name="logits">[vocabulary], float64, read.</param>
    /// <param name="token">The token.</param>
    /// <param name="temperature">T, finite and above 0.</param>
    /// <param name="upstream">The gradient with respect to the log-probability; 0 gives zeros whatever the
    /// logits.</param>
    /// <param name="gradient">[vocabulary], float64, written; may be the logits.</param>
    public static void ExactBackward(
        ReadOnlySpan<double> logits, long token, double temperature, double upstream, Span<double> gradient)
    {
        RequireTemperature(temperature);
        if (upstream == 0)
        {
            gradient[..logits.Length].Clear();
            return;
        }

        double maximum = double.NegativeInfinity, sum = 0;
        foreach (double logit in logits)
        {
            maximum = logit > maximum ? logit : maximum;
        }

        for (int v = 0; v < logits.Length; v++)
        {
            gradient[v] = Math.Exp((logits[v] - maximum) / temperature);
            sum += gradient[v];
        }

        for (int v = 0; v < logits.Length; v++)
        {
            gradient[v] = upstream * ((v == token ? 1 : 0) - (gradient[v] / sum)) / temperature;
        }
    }
}
