// Red means: a damaged config.json ends in an exception that the tool does not turn into one line of output.
using System;
using System.Collections.Generic;
using System.IO;
using System.Text;
using System.Text.RegularExpressions;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;
using Xunit;

namespace RingFlash.Reference.Tests.Configuration;

public sealed partial class ConfigurationFuzzTests
{
    private static readonly string[] Replacements =
    [
        "", "null", "true", "0", "-1", "1", "2", "7", "-0", "1e400", "1e-400", "0.5", "2147483647", "2147483648",
        "9223372036854775808", "\"\"", "\"yarn\"", "\"\\ud800\"", "\"\u0001\"", "\"\u00e9\"", "[]", "{}", "[1,2]",
        "[\"a\"]", "{\"a\":{}}", "//", "NaN", ",", ":", "}", "]",
    ];

    [Theory]
    [InlineData("tiny-yarn-f32")]
    [InlineData("tiny-fp8-f32")]
    public void One_damaged_token_ends_in_success_or_in_one_of_two_exceptions(string name)
    {
        string text = File.ReadAllText(ConfigurationTestFiles.GoldenPath(name));
        MatchCollection tokens = Token().Matches(text);
        int accepted = 0;
        for (int seed = 0; seed < 2000; seed++)
        {
            Random random = new(seed);
            Match token = tokens[random.Next(tokens.Count)];
            string replacement = Replacements[random.Next(Replacements.Length)];
            byte[] damaged = Encoding.UTF8.GetBytes(
                string.Concat(text.AsSpan(0, token.Index), replacement, text.AsSpan(token.Index + token.Length)));
            if (seed % 5 == 0)
            {
                // A single byte as well: invalid UTF-8, control characters, cut escapes.
                damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
            }

            try
            {
                ModelConfiguration configuration = ConfigurationReader.Read(damaged, "config.json");
                _ = TensorCatalog.For(configuration);
                _ = ParameterCounts.For(configuration);
                _ = configuration.Rotary.Describe();
                accepted++;
            }
            catch (Exception exception) when (exception is InvalidInputException or EnvironmentException)
            {
                Assert.DoesNotContain('\n', exception.Message);
            }
            catch (Exception exception)
            {
                Assert.Fail($"seed {seed}, token {token.Value} -> {replacement}: {exception}");
            }
        }

        // Both outcomes must occur, or the fuzz exercises one path only.
        Assert.InRange(accepted, 20, 1980);
    }

    [GeneratedRegex("\"[^\"]*\"|[-+.0-9eE]+|true|false|null|[{}\\[\\],:]")]
    private static partial Regex Token();
}
