using System;
using System.Collections.Generic;
using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using RingFlash.Cli.Reports;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;

namespace RingFlash.Cli.Commands;

/// <summary><c>ringflash synth</c>: writes a checkpoint with synthetic weights.</summary>
internal static class SynthCommand
{
    private static readonly WeightStorage[] Storages =
        [WeightStorage.BFloat16, WeightStorage.Float32, WeightStorage.Float8];

    /// <summary>Creates the command.</summary>
    /// <param name="context">The outside world.</param>
    /// <returns>The command.</returns>
    public static Command Create(ToolContext context)
    {
        Option<string> config = new("--config")
        {
            Description = "The whole model: a config.json, a folder that holds one, or one of "
                + string.Join(", ", BuiltInConfigurations.Names) + ".",
            HelpName = "NAME|FILE",
            Required = true,
        };
        Option<string> seed = new("--seed")
        {
            Description = "Seed of the weights, an unsigned 64-bit number.",
            HelpName = "S",
            DefaultValueFactory = _ => "0",
        };
        Option<string> output = new("--out")
        {
            Description = "The folder to write: absent, empty, or begun by the same command, which then goes on.",
            HelpName = "DIR",
            Required = true,
        };
        Option<string?> layers = new("--layers")
        {
            Description = "Only main layers a to b, renumbered from 0 as every loader wants them, with the weights "
                + "that they have in the whole model; an MTP layer comes along behind the last. Default: all.",
            HelpName = "a-b",
        };
        Option<string?> dtype = new("--dtype")
        {
            Description = "bf16, f32, or fp8 (128 x 128 blocks by the published rule). Default: what the configuration "
                + "says, bf16 for the built-in ones.",
            HelpName = "TYPE",
        };
        Option<string> shardSize = new("--shard-size")
        {
            Description = "The most bytes of tensors in one file.",
            HelpName = "SIZE",
            DefaultValueFactory = _ => "5GB",
        };
        Option<string?> tokenizer = new("--tokenizer")
        {
            Description = "Copy the tokenizer from this folder, and generation_config.json and the published modelling "
                + "code (which Transformers asks for) where they lie beside it.",
            HelpName = "DIR",
        };
        Option<string?> json = new("--json") { Description = "Write what was done as JSON.", HelpName = "FILE" };

        ToolCommand command = new(
            "synth",
            "Writes a Hugging Face folder with synthetic weights, of any configuration and any layers.",
            "ringflash synth --config ring-flash-2.0 --layers 0-2 --seed 7 --out flash-3",
            "ringflash synth --config ring-mini-2.0 --dtype fp8 --tokenizer Ring-mini-2.0 --out mini-fp8")
        {
            config, seed, output, layers, dtype, shardSize, tokenizer, json,
        };
        command.SetAction((parsed, cancellation) =>
        {
            SyntheticCheckpointOptions options = Options(
                parsed.GetValue(config)!,
                parsed.GetValue(seed)!,
                parsed.GetValue(layers),
                parsed.GetValue(dtype),
                ByteSize.Parse(parsed.GetValue(shardSize)!, "--shard-size"),
                context);
            return Task.FromResult(Run(
                options,
                OutputFolder.Check(parsed.GetValue(output)!, "--out", context.CurrentDirectory),
                parsed.GetValue(tokenizer) is string folder
                    ? Path.GetFullPath(folder, context.CurrentDirectory)
                    : null,
                OutputFile.Check(parsed.GetValue(json), "--json", context.CurrentDirectory, []),
                context,
                cancellation));
        });
        return command;
    }

    private static SyntheticCheckpointOptions Options(
        string config, string seed, string? layers, string? dtype, long shardSize, ToolContext context)
    {
        ConfigurationName name = ConfigurationName.Find(config, "--config", context.CurrentDirectory);
        LayerRange? range = null;
        if (layers is not null && !LayerRange.TryParse(layers, out range))
        {
            throw new UsageException($"--layers: '{layers}' is not a range; write 0-2, or 5 for one layer");
        }

        int layerCount = ConfigurationReader.Read(name.Json, name.Text).LayerCount;
        if (range is not null && range.Last >= layerCount)
        {
            throw new UsageException($"--layers: {range} was asked for, {name.Text} has layers 0-{layerCount - 1}");
        }

        WeightStorage? storage = null;
        if (dtype is not null)
        {
            storage = Storages.Where(known => known.Word() == dtype).ToArray() is [WeightStorage found]
                ? found
                : throw new UsageException(
                    $"--dtype: '{dtype}' is not a type; known are "
                    + string.Join(", ", Storages.Select(known => known.Word())));
        }

        return new SyntheticCheckpointOptions(name.Json, name.Text, ParseSeed(seed, "--seed"))
        {
            Layers = range,
            Storage = storage,
            ShardSize = shardSize,
        };
    }

    /// <summary>Reads a seed.</summary>
    /// <param name="text">The text.</param>
    /// <param name="option">The option or argument, for the message.</param>
    /// <returns>The seed.</returns>
    /// <exception cref="UsageException">It is no unsigned 64-bit number.</exception>
    public static ulong ParseSeed(string text, string option) =>
        ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong seed)
            ? seed
            : throw new UsageException($"{option}: '{text}' is not a whole number from 0 to {ulong.MaxValue}");

    private static int Run(
        SyntheticCheckpointOptions options,
        string folder,
        string? tokenizer,
        string? json,
        ToolContext context,
        CancellationToken cancellation)
    {
        SyntheticCheckpoint checkpoint = new(options);

        // More workers than cores: while some wait for the disk, the others make weights.
        using WorkerPool workers = new(2 * Environment.ProcessorCount);
        long start = Stopwatch.GetTimestamp();
        SynthReport report = new(
            options,
            checkpoint,
            folder,
            TerminalProgress.Run<CheckpointProgress, IReadOnlyList<ShardResult>>(
                context,
                Describe,
                progress => checkpoint.Write(folder, workers, tokenizer, progress, cancellation)),
            Stopwatch.GetElapsedTime(start));
        report.Write(ReportConsole.Create(context.Output, context.Colour));
        if (json is not null)
        {
            AtomicFile.Write(json, report.WriteJson);
        }

        return ExitCodes.WithinBudget;
    }

    private static (string Text, double Fraction) Describe(CheckpointProgress progress) => (
        $"{progress.Shard}/{progress.Shards} {progress.FileName}, {NumberText.Memory(progress.BytesDone)} of "
            + NumberText.Memory(progress.TotalBytes),
        (double)progress.BytesDone / progress.TotalBytes);
}
