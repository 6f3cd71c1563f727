using System;
using System.Globalization;

namespace RingFlash.Reference.Numerics;

/// <summary>Numbers as Python prints them.</summary>
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
            // .NET's shortest text has an exponent there too, below 1e-5 and from 1E+15 on; only 1e-5 to 1e-4 differ.
            string[] parts = value.ToString("R", CultureInfo.InvariantCulture).Split('E');
            if (parts.Length == 2)
            {
                int exponent = int.Parse(parts[1], CultureInfo.InvariantCulture);
                return $"{parts[0]}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):D2}";
            }

            string digits = parts[0][(parts[0].IndexOf("0.0000", StringComparison.Ordinal) + 6)..];
            return $"{(value < 0 ? "-" : "")}{digits[0]}{(digits.Length > 1 ? "." + digits[1..] : "")}e-05";
        }

        string text = value.ToString("R", CultureInfo.InvariantCulture);
        return text.Contains('.', StringComparison.Ordinal) ? text : text + ".0";
    }
}
