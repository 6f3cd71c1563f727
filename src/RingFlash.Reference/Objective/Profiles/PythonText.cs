using System;
using System.Globalization;

namespace RingFlash.Reference.Objective.Profiles;

/// <summary>Numbers as Python prints them, for the texts of errors.</summary>
internal static class PythonText
{
    /// <summary>The shortest text that reads back: 0.0, 0.5, 1e-07, inf.</summary>
    public static string Float(double value)
    {
        if (!double.IsFinite(value))
        {
            return double.IsNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
        }

        double size = Math.Abs(value);
        if (size != 0 && (size < 1e-4 || size >= 1e16))
        {
            string[] parts = value.ToString("E16", CultureInfo.InvariantCulture).Split('E');
            string shortest = value.ToString("R", CultureInfo.InvariantCulture);
            string digits = shortest.Contains('E', StringComparison.Ordinal) ? shortest.Split('E')[0] : parts[0].TrimEnd('0').TrimEnd('.');
            int exponent = int.Parse(parts[1], CultureInfo.InvariantCulture);
            return $"{digits}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):D2}";
        }

        string text = value.ToString("R", CultureInfo.InvariantCulture);
        return text.Contains('.', StringComparison.Ordinal) ? text : text + ".0";
    }
}
