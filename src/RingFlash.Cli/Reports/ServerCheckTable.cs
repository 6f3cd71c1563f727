using System.Linq;
using RingFlash.Cli.ServerCheck;
using RingFlash.Reference.Verification;
using Spectre.Console;

namespace RingFlash.Cli.Reports;

/// <summary>A check of a server for people.</summary>
/// <param name="console">Where to.</param>
internal sealed class ServerCheckTable(IAnsiConsole console)
{
    private readonly ReportText text = new(console);

    /// <summary>Writes the verdict and what it rests on.</summary>
    /// <param name="report">The report.</param>
    public void Write(ServerCheckReport report)
    {
        text.Line(ServerVerdict.Headline(report), VerifyReportTable.StyleOf(report.Verdict));
        foreach (string failure in report.Failures.Skip(1))
        {
            text.Line($"  also: {failure}");
        }

        text.Blank();
        WriteServer(report);
        if (report.Scores is { All.Count: > 0 })
        {
            text.Blank();
            WriteScores(report, report.Scores, report.Band!);
        }

        WriteRouting(report);
        if (report.Invariance.Count > 0)
        {
            text.Blank();
            WriteInvariance(report);
        }

        if (report.Oddities.Found.Count > 0)
        {
            text.Blank();
            WriteOddities(report);
        }
    }

    private void WriteServer(ServerCheckReport report)
    {
        if (report.Identity is ServerIdentity server)
        {
            text.Line($"server: {server.Dialect.Name} ({server.FoundBy}), version {server.Version ?? "not told"}, "
                + $"model {server.ModelName ?? "not told"} from {server.ModelPath ?? "a path that is not told"}");
            if (server.Flags.Count > 0)
            {
                text.Line($"flags: {string.Join(", ", server.Flags)}");
            }
        }

        text.Line($"reference: {report.Model}, precision {report.Precision}; {report.Prompts.Count} prompts of "
            + $"{string.Join(", ", report.Prompts.Select(prompt => prompt.Count))} tokens, {report.Requests} requests");
    }

    private void WriteScores(ServerCheckReport report, ScoreComparison scores, NoiseBand band)
    {
        ReportTable table = new(
            new("log-probabilities", 38),
            new("compared", 9, Right: true),
            new("equal bits", 10, Right: true),
            new("largest", 10, Right: true),
            new("mean", 10, Right: true),
            new("of noise", 9, Right: true));
        foreach (ScoreRow row in scores.Rows)
        {
            table.Add(
                row.What,
                NumberText.Count(row.Differences.Count),
                NumberText.Count(row.Differences.Equal),
                NumberText.Error(row.Differences.Maximum),
                NumberText.Error(row.Differences.Mean),
                NumberText.Multiple(row.OfNoise));
        }

        foreach (ScoreComparison other in report.AllScores)
        {
            table.Add(
                $"all, against our {other.Run}",
                NumberText.Count(other.All.Count),
                NumberText.Count(other.All.Equal),
                NumberText.Error(other.All.Maximum),
                NumberText.Error(other.All.Mean),
                string.Empty);
        }

        table.Write(console);
        text.Line($"noise of {band.Precision}, measured on this model against {band.Centre}:");
        foreach (RunDistance run in band.Runs)
        {
            text.Line($"  {run.Name}: {Noise(run.Clean)}"
                + (run.Behind.Count > 0 ? $"; behind near ties of the router {Noise(run.Behind)}" : string.Empty));
        }

        text.Line($"of what it explains: single numbers {NumberText.Multiple(scores.OfNoiseSingle)}, root mean square "
            + $"{NumberText.Multiple(scores.OfNoiseClean)} of {scores.Clean.Count}, median "
            + $"{NumberText.Multiple(scores.OfNoiseMedian)}; {scores.Behind.Count} numbers may lie behind near ties");
        WorstNumber? worst = scores.Rows.MaxBy(row => row.OfNoise)!.Worst;
        if (worst is not null && scores.All.Maximum > 0)
        {
            text.Line($"furthest off: {ServerVerdict.Worst(worst, report.Names)}");
        }

        text.Line($"most likely tokens: {scores.SameLists} of {scores.Lists} lists hold ours, {scores.WrongLists} "
            + $"wrong; largest divergence {NumberText.Error(scores.Divergence)} nats; ranks: {scores.Ranks} told, "
            + $"{scores.WrongRanks} wrong");
        if (report.Greedy is GreedyComparison greedy)
        {
            text.Line($"temperature 0: {greedy.Same} of {greedy.Tokens} tokens are our most likely ones, "
                + $"{greedy.NearTies} near ties, {greedy.Wrong} wrong");
        }
    }

    private void WriteRouting(ServerCheckReport report)
    {
        if (report.Experts is not ExpertComparison experts)
        {
            return;
        }

        text.Line($"experts: {NumberText.Count(experts.Compared)} sets in {experts.Rows.Count} layers compared, "
            + $"{NumberText.Count(experts.Rows.Sum(row => row.SameExperts))} the same "
            + $"({NumberText.Count(experts.Rows.Sum(row => row.SameOrder))} in the same order), "
            + $"{experts.Rows.Sum(row => row.NearTies)} near ties, {experts.Wrong} wrong, "
            + $"{experts.Rows.Sum(row => row.Behind)} behind a near tie and not compared");
    }

    private void WriteInvariance(ServerCheckReport report)
    {
        ReportTable table = new(
            new("the same prompt", 38),
            new("compared", 9, Right: true),
            new("equal bits", 10, Right: true),
            new("largest", 10, Right: true),
            new("", 29));
        foreach (InvarianceRow row in report.Invariance)
        {
            Differences differences = row.Differences;
            string word = differences.Count == 0 ? "not compared"
                : differences.AllEqual ? "equal to the bit"
                : report.Band is null ? "not judged"
                : report.IsBeyondNoise(row) ? "beyond the noise"
                : row.OtherExperts > 0 ? $"{row.OtherExperts} other sets of experts"
                : "within the noise";
            table.Add(
                row.Name,
                NumberText.Count(differences.Count),
                NumberText.Count(differences.Equal),
                differences.Count == 0 ? "-" : NumberText.Error(differences.Maximum),
                row.Note.Length > 0 ? $"{word}; {row.Note}" : word);
        }

        table.Write(console);
    }

    private void WriteOddities(ServerCheckReport report)
    {
        foreach (Oddity oddity in report.Oddities.Found)
        {
            string times = oddity.Count > 1 ? $" ×{oddity.Count}" : string.Empty;
            string detail = oddity.Detail.Length > 0 ? $": {oddity.Detail}" : string.Empty;
            text.Line($"{Word(oddity.Kind.Weight)} {oddity.Kind.Name}{times}: {oddity.Place}{detail}: "
                + oddity.Kind.Consequence);
        }
    }

    private static string Noise(Differences distance) => distance.Count == 0
        ? "not measured"
        : $"{NumberText.Error(distance.Maximum)} (root mean square {NumberText.Error(distance.RootMeanSquare)})";

    private static string Word(OddityWeight weight) => weight switch
    {
        OddityWeight.Note => "note",
        OddityWeight.Gap => "not compared",
        OddityWeight.Fault => "fault",
        _ => "the end",
    };
}
