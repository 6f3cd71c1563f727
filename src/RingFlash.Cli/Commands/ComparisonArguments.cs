using System;
using System.Collections.Generic;
using System.CommandLine;
using RingFlash.Reference.Comparison;

namespace RingFlash.Cli.Commands;

/// <summary>The arguments and options of every command that compares two sides.</summary>
internal sealed class ComparisonArguments
{
    private readonly Argument<string> reference = new("REFERENCE")
    {
        Description = "A golden case folder; or a checkpoint folder or synthetic:NAME[@SEED], which is then computed.",
    };

    private readonly Argument<string> candidate = new("CANDIDATE")
    {
        Description = "What the other program dumped: a file or a folder.",
    };

    private readonly Option<string?> ids = new("--ids")
    {
        Description = "The token ids of one sequence, separated by commas. Default: the candidate's input_ids.",
        HelpName = "ID,ID,…",
    };

    private readonly Option<string?> model = new("--model")
    {
        Description = "The checkpoint folder for a golden case of real weights.",
        HelpName = "DIR",
    };

    private readonly Option<string?> map = new("--map")
    {
        Description = "Whose names the dump has: ringflash, transformers, vllm, sglang, megatron, llama.cpp, or a map "
            + "file. Default: the map that knows most of them.",
        HelpName = "NAME|FILE",
    };

    private readonly Option<int?> step = new("--step")
    {
        Description = "Which step of a dump of several.",
        HelpName = "N",
    };

    private readonly Option<string?> padding = new("--padding")
    {
        Description = "On which side the candidate pads: left or right. Default: as the reference does.",
        HelpName = "SIDE",
    };

    private readonly Option<int?> tensorParallel = new("--tensor-parallel")
    {
        Description = "The ranks that tensors are split over. Default: as the dump says, or one.",
        HelpName = "N",
    };

    /// <summary>Adds them to a command.</summary>
    /// <param name="command">The command.</param>
    public void AddTo(Command command)
    {
        command.Add(reference);
        command.Add(candidate);
        command.Add(ids);
        command.Add(model);
        command.Add(map);
        command.Add(step);
        command.Add(padding);
        command.Add(tensorParallel);
    }

    /// <summary>What was typed.</summary>
    /// <param name="parsed">The command line.</param>
    /// <returns>The request.</returns>
    /// <exception cref="UsageException">A word is unknown.</exception>
    public ComparisonRequest Of(ParseResult parsed) => new(
        parsed.GetValue(reference)!, parsed.GetValue(candidate)!)
    {
        Ids = parsed.GetValue(ids),
        Model = parsed.GetValue(model),
        Map = parsed.GetValue(map),
        Layout = new CandidateLayout
        {
            Step = parsed.GetValue(step),
            Padding = parsed.GetValue(padding) switch
            {
                null => null,
                "left" => PaddingSide.Left,
                "right" => PaddingSide.Right,
                string word => throw new UsageException($"--padding: '{word}' is neither left nor right"),
            },
            TensorParallelSize = parsed.GetValue(tensorParallel),
        },
    };
}
