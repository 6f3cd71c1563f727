// Red here means that diagnose does not find a mistake of its catalogue, or accuses a candidate of one that it lacks.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Linq;
using RingFlash.Reference.Diagnosis;
using Xunit;

namespace RingFlash.Reference.Tests.Diagnosis;

public sealed class CatalogueSweep
{
    [Fact]
    public void Survey()
    {
        List<string> lines = [];
        foreach (bool isBFloat16 in new[] { false, true })
        {
            foreach (string set in new[] { "boundaries", "blocks", "layers" })
            {
                int hit = 0, among = 0, miss = 0, silent = 0, wrong = 0;
                Stopwatch clock = Stopwatch.StartNew();
                ulong seed = 1;
                foreach (Mistake mistake in MistakeCatalogue.All)
                {
                    foreach (MistakeVariant variant in mistake.Variants.Take(2))
                    {
                        seed++;
                        using MistakenDump dump = new(seed, isBFloat16, set, (mistake, variant));
                        long start = Stopwatch.GetTimestamp();
                        DiagnosisReport report = dump.Diagnose(new DiagnosisOptions { PairTime = TimeSpan.FromSeconds(1) });
                        string what = string.Create(CultureInfo.InvariantCulture,
                            $"{(isBFloat16 ? "bf16" : "f32")} {set} {seed} {mistake.Id}:{variant.Value} ({Stopwatch.GetElapsedTime(start).TotalSeconds:0.0} s, {report.TwinsRun})");
                        if (report.Outcome == DiagnosisOutcome.NoMistake)
                        {
                            bool said = report.NotShown.Contains(mistake.Id);
                            silent++;
                            lines.Add($"{(said ? "silent" : "SILENT")} {what}: {report.Headline}");
                            continue;
                        }

                        bool first = report.Findings.Count == 1 && report.Findings[0].Mistakes.Any(found => found.Mistake == mistake);
                        bool named = report.Findings.Any(finding => finding.Mistakes.Concat(finding.NotToldApart.SelectMany(x => x)).Any(found => found.Mistake == mistake));
                        hit += first ? 1 : 0;
                        among += named && !first ? 1 : 0;
                        miss += named ? 0 : 1;
                        lines.Add($"{(first ? "hit" : named ? "AMONG" : "MISS")} {what}: {report.Headline}"
                            + (first ? "" : " | hints " + string.Join("; ", report.Hints.Select(h => $"{h.Mistakes[0].Name} {h.Distance:G2}/{h.Reference:G2}"))));
                    }
                }

                lines.Add($"== {(isBFloat16 ? "bf16" : "f32")} {set}: {hit} hit, {among} among, {miss} miss, {silent} silent, {wrong} wrong, {clock.Elapsed.TotalSeconds:0} s");
                File.WriteAllLines("/tmp/h-diag-survey.txt", lines);
            }
        }
    }
}
