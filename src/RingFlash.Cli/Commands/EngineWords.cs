using System;
using System.Collections.Generic;
using System.CommandLine;
using System.Linq;
using RingFlash.Reference.Devices;
using RingFlash.Reference.Numerics;

namespace RingFlash.Cli.Commands;

/// <summary>An engine that was asked for and is not here.</summary>
/// <param name="Engine">Its word.</param>
/// <param name="Reason">Why.</param>
internal sealed record MissingEngine(string Engine, string Reason)
{
    /// <summary>The line that people see.</summary>
    public string Line => $"engine {Engine} is not available: {Reason}";
}

/// <summary>The words of <c>--engine</c>.</summary>
internal static class EngineWords
{
    private static readonly ExecutionEngine[] Known = Enum.GetValues<ExecutionEngine>();

    /// <summary>The words, as help and messages list them.</summary>
    public static string List => $"{Names}, all";

    private static string Names { get; } = string.Join(", ", Known.Select(engine => engine.Word()));

    /// <summary><c>--engine</c> of a command that runs one.</summary>
    /// <returns>The option; its value is for <see cref="ParseOne"/>.</returns>
    public static Option<string> One() => new("--engine")
    {
        Description = $"Who computes: {Names}. The bits are the same.",
        HelpName = "ENGINE",
        DefaultValueFactory = _ => ExecutionEngine.Vector512.Word(),
    };

    /// <summary>Reads one word.</summary>
    /// <param name="text">The option's value.</param>
    /// <param name="memoryLimit">What <c>--memory-limit</c> says; null when it was not given.</param>
    /// <returns>The engine.</returns>
    /// <exception cref="UsageException">It is not an engine, or not one whose memory can be limited.</exception>
    /// <exception cref="EnvironmentException">The engine is not here.</exception>
    public static ExecutionEngine ParseOne(string text, string? memoryLimit)
    {
        if (Known.Where(engine => engine.Word() == text).ToArray() is not [ExecutionEngine engine])
        {
            throw new UsageException($"--engine: '{text}' is not an engine; known are {Names}");
        }

        if (engine.IsDevice() && memoryLimit is not null)
        {
            throw new UsageException($"--memory-limit: engine {text} holds the weights in its device's memory");
        }

        return Present(engine);
    }

    /// <summary>Reads a comma list of words.</summary>
    /// <param name="text">The option's value.</param>
    /// <returns>The engines to run, each once, and those that <c>all</c> would have run if they were here.</returns>
    /// <exception cref="UsageException">A word is not an engine.</exception>
    /// <exception cref="EnvironmentException">An engine was named that is not here.</exception>
    public static (IReadOnlyList<ExecutionEngine> Engines, IReadOnlyList<MissingEngine> Missing) Parse(string text)
    {
        List<ExecutionEngine> engines = [];
        List<MissingEngine> missing = [];
        foreach (string word in CommaList.Split(text, "--engine"))
        {
            if (word == "all")
            {
                missing.AddRange(Known.Select(Missing).OfType<MissingEngine>());
                engines.AddRange(Known.Where(engine => missing.All(gone => gone.Engine != engine.Word())));
            }
            else if (Known.Where(engine => engine.Word() == word).ToArray() is [ExecutionEngine known])
            {
                engines.Add(Present(known));
            }
            else
            {
                throw new UsageException($"--engine: '{word}' is not an engine; known are {List}");
            }
        }

        return (engines.Distinct().ToArray(), missing.Distinct().ToArray());
    }

    private static ExecutionEngine Present(ExecutionEngine engine) => Missing(engine) is { } absent
        ? throw new EnvironmentException($"engine {absent.Engine} is not available", absent.Reason)
        : engine;

    private static MissingEngine? Missing(ExecutionEngine engine) =>
        engine == ExecutionEngine.Cuda && KernelHost.WhyNoCuda() is string reason
            ? new MissingEngine(engine.Word(), reason)
            : null;
}
