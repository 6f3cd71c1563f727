// Inputs that show each numbered fault, and how it is seen. Red nowhere by itself.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text;
using RingFlash.Reference.Objective;
using RingFlash.Reference.Objective.Profiles;

namespace RingFlash.Reference.Tests.Objective.Profiles;

/// <summary>One fault: an input, and whether a result shows it.</summary>
/// <param name="Number">Its number.</param>
/// <param name="File">The input.</param>
/// <param name="Seen">The framework's values and ours; never called where the framework raises.</param>
/// <param name="Single">Whether it takes float32.</param>
internal sealed record FaultInput(
    string Number, IcePopCaseFile File, Func<IcePopExpectation, IcePopExpectation, bool>? Seen, bool Single = false)
{
    /// <summary>Whether the profile does this. A fault without a predicate is an error that the framework
    /// raises.</summary>
    public bool ShownBy(ObjectiveProfile profile)
    {
        try
        {
            IcePopExpectation theirs = profile.Evaluate(File, Single);
            return Seen?.Invoke(theirs, ObjectiveProfiles.All[0].Evaluate(File, Single)) ?? false;
        }
        catch (ProfileErrorException exception)
        {
            return Seen is null && exception.Fault.Number == Number;
        }
    }
}

internal static class FaultInputs
{
    private const double Infinity = double.PositiveInfinity, NaN = double.NaN;
    private const string Tokens = "token_mean", Responses = "seq_mean_token_mean";

    private static readonly double[] Ones = [-1, -1, -1, -1];

    public static FaultInput[] All { get; } =
    [
        // Token 1 is outside, token 0 beyond the upper end by less than e^Δ can show.
        new("F1", Case([0, -1], infer: [-1e-17, -1.05], beta: 1), (v, _) => Kept(v, 0) && !Kept(v, 1)),
        new("F2", TwoRows(Ones, [NaN, -1, -1, -1]), (v, _) => Unknown(v)),
        new("F3", TwoRows([-Infinity, -1, -1, -1], Ones), (v, _) => Unknown(v)),
        new("F4", Case([-1, NaN], infer: [-1, NaN], mask: [1, 0]), (v, _) => LossUnknown(v)),
        new("F5", Case([-1, -1], infer: [-1001, -1]), (v, _) => LossUnknown(v)),
        new("F6", Case([-801, -1], theta: [-1, -1]), (v, _) => !LossUnknown(v) && GradientUnknown(v)),
        new("F7", Case([-1, -1], infer: [-10, -10]), null),
        new("F8", Case([-1, -1], alpha: 0), null),
        new("F9", Case([-1, -1], mask: [0, 0]), null),
        new("F10", Case([-1, -1], alpha: 1, beta: 1), null),
        new("F11", Case([-1, -1], mask: [0, 0]), (v, _) => LossUnknown(v)),
        new(
            "F12",
            WithEmptyRow(),
            (v, o) => Has(v, Tokens) && !Apart(1.5 * v.Loss[Tokens], o.Loss[Tokens], 1e-6)),
        new(
            "F13",
            WithEmptyRow(),
            (v, o) => Has(v, Responses) && Apart(v.Loss[Responses], o.Loss[Responses], 1e-3)
                && !Apart(v.Loss[Responses], o.Loss["seq_mean_token_mean_nonempty"], 1e-6)),
        new(
            "F14",
            Case([-1, -2]),
            (v, o) => v.Loss.Any(loss => Apart(loss.Value, o.Loss[loss.Key], 1e-10))
                && v.Loss.All(loss => !Apart(loss.Value, o.Loss[loss.Key], 1e-7))),
        new(
            "F15",
            Case([-1, -1], infer: [-31, -31], beta: 1e15, advantage: -1),
            (v, o) => (v.Weight is not null && Limited(v.Weight[0], o.Weight![0]))
                || v.Gradient.Any(entry => Limited(entry.Value[0], o.Gradient[entry.Key][0]))),
        new(
            "F15",
            Case([-40, -1], theta: [-10, -1], infer: [-40, -1], advantage: -1),
            (v, o) => Has(v, Tokens) && Kept(o, 0) && v.Loss[Tokens] > 1e6 && Limited(v.Loss[Tokens], o.Loss[Tokens])),
        new(
            "F16",
            Case([-Infinity, -1], theta: [-1, -1], infer: [-Infinity, -1]),
            (v, _) => v.Weight?[0] == 1),
        new(
            "F17",
            Case([-1.23456789, -1], infer: [-1.5, -1]),
            (v, o) => v.Weight is not null
                ? Rounded(v.Weight[0], o.Weight![0])
                : v.Metrics.TryGetValue("is_ratio_max", out double k) && Rounded(k, o.Weight![0])),
        new(
            "F18",
            Case([-1, -1], infer: [-1, -4]),
            (v, o) => Has(v, Responses) && !Apart(v.Loss[Responses], 2 * o.Loss[Responses], 1e-12)),
        new(
            "F19",
            Case([-1, -1], mask: [1, 0]),
            (v, o) => Has(v, Tokens) && !Apart(v.Loss[Tokens], 2 * o.Loss[Tokens], 1e-12)),
        new(
            "F20",
            Case([-1, -1], infer: [-2, -1]),
            (v, _) => Has(v, Tokens) && !Apart(-0.5, v.Gradient[Tokens][0], 1e-9)),
        new("F21", Case([-1, -1], infer: [-2.2, -1]), (v, o) => v.Weight?[0] == 2 && o.Weight![0] > 3),
        new(
            "F22",
            Case([-1, -1], infer: [NaN, -1], alpha: 0),
            (v, o) => v.Metrics.TryGetValue("is_oob_ratio", out double share) && share == 0
                && o.Metrics["nonfinite_log_ratio"] == 1),
        new(
            "F23",
            Case([-2.5, -1], theta: [-0.5, -1], advantage: -1),
            (v, o) => !Kept(v, 0) && Kept(v, 1) && Kept(o, 0)),
        new(
            "F24",
            Case([-2, -1], infer: [-0.8, 0]),
            (v, o) => v.Keep is [1, 1] && o.Keep is [0, 0]),
        new("F25", Case([-4, -1], infer: [-1, -9], advantage: -1), (v, _) => Kept(v, 0) && Small(v)),
        new("F26", Case([-1, -1], mask: [1, 0]), (v, _) => v.Weight is not null && v.Weight[1] != 0),
        new("F27", Case([-800, -1], reference: [0, -1]), (v, _) => LossUnknown(v)),
        new(
            "F28",
            Case([-2.4, -1], theta: [-1, -1], advantage: -1),
            (v, o) => Has(v, Tokens) && v.Gradient[Tokens][0] == 0 && o.Gradient[Tokens][0] != 0),
        new("F29", Case([-1e-9, -1]), (v, _) => v.Weight is not null && v.Weight[0] == 0, Single: true),
        new(
            "F30",
            TwoRows([-3, -3, -1, -1], [-2.5, -2.5, -1, -1]),
            (v, o) => Kept(o, 0) && !Kept(v, 0)),
        new(
            "F31",
            Case([-1, -2]),
            (v, o) => Has(v, Tokens) && Apart(v.Loss[Tokens], o.Loss[Tokens], 1e-3)
                && !Apart(v.Gradient[Tokens][0], o.Gradient[Tokens][0], 1e-9)),
        new(
            "F32",
            Case([-1, -1], infer: [-Infinity, -1], alpha: 0, beta: Infinity),
            (v, _) => v.Loss.Values.Any(loss => !double.IsFinite(loss))
                || (v.Weight is not null && !double.IsFinite(v.Weight[0]))),
    ];

    /// <summary>A batch of one row; θ and infer as the old ones where not given.</summary>
    public static IcePopCaseFile Case(
        double[] old,
        double[]? theta = null,
        double[]? infer = null,
        byte[]? mask = null,
        double alpha = 0.5,
        double beta = 5,
        double advantage = 1,
        double[]? reference = null) =>
        Parse(
            1,
            old,
            theta ?? old,
            infer ?? old,
            mask ?? [.. old.Select(_ => (byte)1)],
            [advantage],
            alpha,
            beta,
            reference ?? [.. old.Select(_ => -1.0)]);

    private static IcePopCaseFile TwoRows(double[] old, double[] infer) =>
        Parse(2, old, old, infer, [1, 1, 1, 1], [1, 1], 0.5, 5, Ones);

    private static IcePopCaseFile WithEmptyRow() =>
        Parse(2, Ones, Ones, Ones, [1, 1, 0, 0], [1, 1], 0.5, 5, Ones);

    private static IcePopCaseFile Parse(
        int rows,
        double[] old,
        double[] theta,
        double[] infer,
        byte[] mask,
        double[] advantages,
        double alpha,
        double beta,
        double[] reference)
    {
        int length = old.Length / rows;
        static string Number(double value) => double.IsFinite(value)
            ? value.ToString("R", CultureInfo.InvariantCulture)
            : $"\"{(double.IsNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity")}\"";
        string Matrix(IEnumerable<double> values) =>
            $"[{string.Join(',', values.Chunk(length).Select(row => $"[{string.Join(',', row.Select(Number))}]"))}]";
        string json = $$$"""
            {"schema":1,"case":"fault","shape":[{{{rows}}},{{{length}}}],
             "config":{"alpha":{{{Number(alpha)}}},"beta":{{{Number(beta)}}},"eps_low":0.2,"eps_high":0.2},
             "inputs":{"advantages":[{{{string.Join(',', advantages.Select(Number))}}}],
             "mask":{{{Matrix(mask.Select(flag => (double)flag))}}},"logp_theta":{{{Matrix(theta)}}},
             "logp_old":{{{Matrix(old)}}},"logp_infer":{{{Matrix(infer)}}},"logp_ref":{{{Matrix(reference)}}} } }
            """;
        return IcePopCaseFile.Parse(Encoding.UTF8.GetBytes(json), "fault.json");
    }

    private static bool Has(IcePopExpectation values, string aggregation) => values.Loss.ContainsKey(aggregation);

    private static bool Kept(IcePopExpectation values, int token) => values.Keep is not null
        ? values.Keep[token] != 0
        : values.Weight is not null
            ? values.Weight[token] != 0
            : values.Gradient.Values.Any(gradient => gradient[token] != 0);

    /// <summary>Whether token 0 of two with Δ = −3 has about its own k, 0.0498, and was not cut up to 0.5.</summary>
    private static bool Small(IcePopExpectation values) => values.Weight is not null
        ? values.Weight[0] is > 0.04 and < 0.06
        : values.Gradient.Values.Any(gradient => Math.Abs(gradient[0]) is > 0.02 and < 0.03);

    private static bool LossUnknown(IcePopExpectation values) => values.Loss.Values.Any(double.IsNaN);

    private static bool GradientUnknown(IcePopExpectation values) =>
        values.Gradient.Values.Any(gradient => gradient.Any(double.IsNaN));

    private static bool Unknown(IcePopExpectation values) =>
        LossUnknown(values) || (values.Weight is not null && values.Weight.Any(double.IsNaN));

    private static bool Apart(double a, double b, double tolerance) => !(Math.Abs(a - b) <= tolerance * Math.Abs(b));

    private static bool Rounded(double a, double b) => Apart(a, b, 1e-12) && !Apart(a, b, 1e-6);

    /// <summary>Much smaller, and not gone.</summary>
    private static bool Limited(double theirs, double ours) =>
        theirs != 0 && Math.Abs(theirs) < 0.1 * Math.Abs(ours);
}
