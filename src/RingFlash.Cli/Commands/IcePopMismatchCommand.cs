using System.CommandLine;
using System.Globalization;
using System.IO;
using System.Threading.Tasks;
using RingFlash.Cli.Reports;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Objective.Mismatch;
using Spectre.Console;

namespace RingFlash.Cli.Commands;

/// <summary><c>ringflash icepop mismatch</c>: two engines' log-probabilities under every framework's names.</summary>
internal static class IcePopMismatchCommand
{
    /// <summary>Creates the command.</summary>
    /// <param name="context">The outside world.</param>
    /// <returns>The command.</returns>
    public static Command Create(ToolContext context)
    {
        Option<string> train = new("--train")
        {
            Description = "Log-probabilities of the training engine: safetensors or JSON.",
            HelpName = "FILE",
            Required = true,
        };
        Option<string> infer = new("--infer")
        {
            Description = "Log-probabilities that the inference engine reported for the same tokens.",
            HelpName = "FILE",
            Required = true,
        };
        Option<string?> html = new("--html") { Description = "Write one page with pictures.", HelpName = "FILE" };
        Option<string?> json = new("--json") { Description = "Write every metric as JSON.", HelpName = "FILE" };
        ToolCommand command = new(
            "mismatch",
            "Computes the mismatch metrics of slime, verl, NeMo-RL, TRL and prime-rl, and what each band would mask.",
            "ringflash icepop mismatch --train train.json --infer infer.json --html mismatch.html")
        {
            train, infer, html, json,
        };
        command.SetAction((parsed, _) =>
        {
            string[] inputs = [Input(parsed.GetValue(train)!, context), Input(parsed.GetValue(infer)!, context)];
            string? page = OutputFile.Check(parsed.GetValue(html), "--html", context.CurrentDirectory, inputs);
            string? values = OutputFile.Check(parsed.GetValue(json), "--json", context.CurrentDirectory, inputs);
            if (page is not null && page == values)
            {
                throw new UsageException($"--html and --json both name {page}");
            }

            MismatchMetrics metrics = MismatchMetrics.Compute(
                MismatchInput.Create(LogProbabilityFile.Read(inputs[0]), LogProbabilityFile.Read(inputs[1])));
            Write(ReportConsole.Create(context.Output, context.Colour), metrics);
            if (page is not null)
            {
                MismatchReport.Save(page, metrics);
            }

            if (values is not null)
            {
                MismatchReportJson.Save(values, metrics);
            }

            return Task.FromResult(ExitCodes.WithinBudget);
        });
        return command;
    }

    private static string Input(string path, ToolContext context)
    {
        string full = Path.GetFullPath(path, context.CurrentDirectory);
        return File.Exists(full) ? full : throw new EnvironmentException(path, "there is no such file");
    }

    private static void Write(IAnsiConsole console, MismatchMetrics metrics)
    {
        console.WriteLine(metrics.FivePercentText);
        foreach (string warning in metrics.Input.Warnings)
        {
            console.WriteLine($"warning: {InvalidInputException.Escape(warning)}");
        }

        console.WriteLine();
        Table table = new() { Border = TableBorder.Ascii };
        table.AddColumns("framework", "metric", "value");
        foreach (MismatchMetric metric in metrics.All)
        {
            table.AddRow(
                Markup.Escape(metric.Framework),
                Markup.Escape(metric.Name),
                metric.Value.ToString("G7", CultureInfo.InvariantCulture));
        }

        console.Write(table);
        foreach (BandShare share in metrics.Bands)
        {
            console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"band [{share.Band.Alpha}, {share.Band.Beta}] ({share.Band.User}) would mask {share.Share:P2}"));
        }
    }
}
