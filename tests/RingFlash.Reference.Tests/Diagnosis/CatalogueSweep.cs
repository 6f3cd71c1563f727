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
    public static void Survey(string[] sets, bool[] types, int ways, ulong seed)
    {
        foreach (bool isBFloat16 in types)
        {
            foreach (string set in sets)
            {
                int hit = 0, among = 0, miss = 0, silent = 0, wrong = 0, partly = 0;
                Stopwatch clock = Stopwatch.StartNew();
                foreach (Mistake mistake in MistakeCatalogue.All)
                {
                    foreach (MistakeVariant variant in mistake.Variants.Take(ways))
                    {
                        seed++;
                        using MistakenDump dump = new(seed, isBFloat16, set, (mistake, variant));
                        long start = Stopwatch.GetTimestamp();
                        DiagnosisReport report = dump.Diagnose(new DiagnosisOptions { PairTime = TimeSpan.FromSeconds(1), ExclusionTime = TimeSpan.FromSeconds(2) });
                        string what = string.Create(CultureInfo.InvariantCulture,
                            $"{(isBFloat16 ? "bf16" : "f32")} {set} {seed} {mistake.Id}:{variant.Value} ({Stopwatch.GetElapsedTime(start).TotalSeconds:0.0} s, {report.TwinsRun})");
                        if (report.Outcome == DiagnosisOutcome.NoMistake)
                        {
                            bool said = report.NotShown.Any(name => name.StartsWith(mistake.Id, StringComparison.Ordinal)) || report.NotRun.Contains(mistake.Id);
                            silent++;
                            Console.WriteLine($"{(said ? "silent" : "SILENT")} {what}: {report.Headline}");
                            continue;
                        }

                        bool first = report.Findings.Count == 1 && report.Findings[0].Mistakes.Any(found => found.Mistake == mistake);
                        bool named = report.Findings.Any(finding => finding.Mistakes.Concat(finding.NotToldApart.SelectMany(x => x)).Any(found => found.Mistake == mistake));
                        hit += first ? 1 : 0;
                        among += named && !first ? 1 : 0;
                        miss += named ? 0 : 1;
                        partly += report.Outcome == DiagnosisOutcome.PartlyExplained ? 1 : 0;
                        if (!first)
                        {
                            Console.WriteLine($"{(named ? "AMONG" : "MISS")} {what}: {report.Headline}"
                                + " | alike " + string.Join("; ", report.Findings.SelectMany(f => f.NotToldApart).Select(h => string.Join("+", h.Select(m => m.Name))))
                                + " | less " + string.Join("; ", report.Findings.SelectMany(f => f.LessLikely).Select(h => string.Join("+", h.Select(m => m.Name))))
                                + " | open " + string.Join(" ", report.NotExplained)
                                + " | hints " + string.Join("; ", report.Hints.Select(h => $"{h.Mistakes[0].Name} {h.Distance:G2}/{h.Reference:G2}")));
                        }
                    }
                }

                Console.WriteLine($"== {(isBFloat16 ? "bf16" : "f32")} {set}: {hit} hit, {among} among, {miss} miss, {silent} silent, {partly} partly, {clock.Elapsed.TotalSeconds:0} s");
            }
        }
    }

    public static void Pairs(string[] sets, bool[] types, int count, int seed)
    {
        Random random = new(seed);
        foreach (bool isBFloat16 in types)
        {
            foreach (string set in sets)
            {
                int both = 0, one = 0, none = 0;
                Stopwatch clock = Stopwatch.StartNew();
                for (int n = 0; n < count; n++)
                {
                    Mistake[] pool = [.. MistakeCatalogue.All.Where(m => !m.IsPrecision && (m.Blocks & ModelBlocks.Layer) != 0)];
                    Mistake a = pool[random.Next(pool.Length)], b = pool[random.Next(pool.Length)];
                    MistakeVariant va = a.Variants[random.Next(Math.Min(2, a.Variants.Count))], vb = b.Variants[random.Next(Math.Min(2, b.Variants.Count))];
                    if (a == b) { continue; }
                    using MistakenDump dump = new((ulong)(1000 + n), isBFloat16, set, (a, va), (b, vb));
                    DiagnosisReport report = dump.Diagnose(new DiagnosisOptions { PairTime = TimeSpan.FromSeconds(20), ExclusionTime = TimeSpan.FromSeconds(0) });
                    Mistake[] named = [.. report.Findings.SelectMany(f => f.Mistakes.Concat(f.NotToldApart.SelectMany(x => x))).Select(m => m.Mistake)];
                    int found = (named.Contains(a) ? 1 : 0) + (named.Contains(b) ? 1 : 0);
                    both += found == 2 ? 1 : 0; one += found == 1 ? 1 : 0; none += found == 0 ? 1 : 0;
                    if (found < 2)
                    {
                        Console.WriteLine($"{found} of {a.Id}:{va.Value} + {b.Id}:{vb.Value} {set} {(isBFloat16 ? "bf16" : "f32")}: {report.Headline} | open {string.Join(" ", report.NotExplained)} | {report.PairsRun} pairs {report.Elapsed.TotalSeconds:0.0} s");
                    }
                }

                Console.WriteLine($"== pairs {(isBFloat16 ? "bf16" : "f32")} {set}: {both} both, {one} one, {none} none, {clock.Elapsed.TotalSeconds:0} s");
            }
        }
    }
}
