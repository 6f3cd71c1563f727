using System.CommandLine;
using System.Threading.Tasks;
using RingFlash.Cli.Reports;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Model;

namespace RingFlash.Cli.Commands;

/// <summary><c>ringflash inspect</c>: what a model's folder is, in one screen.</summary>
internal static class InspectCommand
{
    // A context that people try first; the cache grows with it.
    private const int ContextLength = 4096;

    /// <summary>Creates the command.</summary>
    /// <param name="context">The outside world.</param>
    /// <returns>The command.</returns>
    public static Command Create(ToolContext context)
    {
        Argument<string> model = new("MODEL")
        {
            Description = "A Hugging Face checkpoint folder, or synthetic:NAME[@SEED].",
        };
        Option<string?> json = new("--json")
        {
            Description = "Write the same as JSON, with all names.",
            HelpName = "FILE",
        };
        ToolCommand command = new(
            "inspect",
            "Says what a model's folder is: configuration, parameters, types, missing and extra tensors, memory, "
            + "tokenizer.",
            "ringflash inspect Ring-flash-2.0",
            "ringflash inspect synthetic:ring-flash-2.0 --json flash.json")
        {
            model, json,
        };
        command.SetAction(parsed => Task.FromResult(
            Run(parsed.GetValue(model)!, parsed.GetValue(json), context)));
        return command;
    }

    private static int Run(string name, string? jsonPath, ToolContext context)
    {
        string? json = OutputFile.Check(jsonPath, "--json", context.CurrentDirectory, []);
        using ModelName model = ModelName.Open(name, context.CurrentDirectory, check: false);
        CatalogComparison tensors = TensorCatalog.Compare(model.Configuration, model.Weights);
        InspectReport report = new(name, model.Configuration, model.Weights, tensors)
        {
            Memory = tensors.Missing.Count + tensors.Wrong.Count == 0 ? Measure(model) : null,
            Text = model.Weights is CheckpointFolder ? TextFiles.Look(model) : null,
        };
        report.Write(ReportConsole.Create(context.Output, context.Colour));
        if (json is not null)
        {
            AtomicFile.Write(json, report.WriteJson);
        }

        // The report has shown everything; the exit code says that this model cannot be run.
        TensorCatalog.Check(model.Configuration, model.Weights);
        return ExitCodes.WithinBudget;
    }

    private static MemoryNeeds Measure(ModelName model)
    {
        ModelWeights weights = new(model.Weights, model.Configuration, roundToBFloat16: false);
        long others = ForwardMemory.Bytes(model.Configuration, batch: 1, tokens: 1, ContextLength);
        return new MemoryNeeds(
            ContextLength,
            WeightResidency.WholeModel(weights) + others,
            WeightResidency.SmallestLimit(weights) + others,
            ForwardMemory.CacheBytesPerToken(model.Configuration));
    }
}
