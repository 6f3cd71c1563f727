// Red here: our IcePop loss, gradient, mask or metrics differ from independent PyTorch references; nobody may be judged
// by them.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text.Json.Serialization;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Objective;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Objective;

public sealed class GoldenCases
{
    private const double Unit = 1.0 / (1 << 24);

    /// <summary>float32 overflows in case 42 by design.</summary>
    private static readonly string[] WithoutSingle = ["case_042"];

    public static TheoryData<string> Cases => [.. IcePopCases.Names];

    [Fact]
    public void ThereAreThirtyCases() => Assert.Equal(30, IcePopCases.Names.Length);

    [Theory]
    [MemberData(nameof(Cases))]
    public void Float64AgreesWithTheReference(string name)
    {
        IcePopCaseFile file = IcePopCases.Load(name);
        List<string> differences = Comparison.Differences(file, PolicyObjective.Evaluate(file.Batch, file.Options));
        Assert.Empty(differences);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void MetricsAgreeWithTheReference(string name)
    {
        IcePopCaseFile file = IcePopCases.Load(name);
        ObjectiveMetrics metrics = PolicyObjective.Evaluate(file.Batch, file.Options).Metrics;
        Dictionary<string, double> actual = typeof(ObjectiveMetrics).GetProperties().ToDictionary(
            property => ((JsonPropertyNameAttribute)property
                .GetCustomAttributes(typeof(JsonPropertyNameAttribute), false).Single()).Name,
            property => Convert.ToDouble(property.GetValue(metrics), CultureInfo.InvariantCulture));
        Assert.NotEmpty(file.Reference!.Metrics);
        foreach ((string key, double expected) in file.Reference.Metrics)
        {
            // A mean of signed differences cancels; its gauge is the mean of the absolute ones.
            double absolute = 1e-12 * (metrics.MeanAbsoluteDifference + (key == "k3_infer_train" ? 1e-3 : 0));
            IcePopCases.Near(expected, actual[key], 1e-12, absolute, $"{name}: {key}");
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void DivergencesAgreeWithTheReference(string name)
    {
        IcePopCaseFile file = IcePopCases.Load(name);
        ObjectiveResult result = PolicyObjective.Evaluate(file.Batch, file.Options);
        Assert.Equal(file.Options.KullbackLeiblerCoefficient != 0, file.Reference!.Divergence.Count > 0);
        Assert.Equal(result.HasDivergence, file.Reference.Divergence.Count > 0);
        foreach ((string key, DivergenceResult expected) in file.Reference.Divergence)
        {
            string[] parts = key.Split('/');
            KullbackLeiblerKind estimator =
                Enum.GetValues<KullbackLeiblerKind>().Single(kind => kind.Word() == parts[0]);
            LossAggregationKind aggregation =
                ObjectiveWords.Aggregations.ToArray().Single(kind => kind.Word() == parts[1]);
            DivergenceResult actual = result.Divergence(estimator, aggregation);
            IcePopCases.Near(expected.Value, actual.Value, 1e-12, 1e-12, $"{name}: {key}");
            IcePopCases.Near(expected.TotalLoss, actual.TotalLoss, 1e-12, 1e-12, $"{name}: {key} total");
            IcePopCases.Near(expected.TotalGradient, actual.TotalGradient, 1e-12, 1e-13, $"{name}: {key} gradient");
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Float32AgreesWithTheReference(string name)
    {
        Assert.DoesNotContain(WithoutSingle, skipped => name.StartsWith(skipped, StringComparison.Ordinal));
        IcePopCaseFile file = IcePopCases.Load(name);
        IcePopExpectation expected = file.SingleReference!;
        RolloutBatch batch = file.Batch;
        ObjectiveResult exact = PolicyObjective.Evaluate(batch, file.Options);
        foreach (ExecutionEngine engine in Enum.GetValues<ExecutionEngine>())
        {
            ObjectiveResult result = PolicyObjective.Evaluate(engine, batch.ToSingle(), file.Options);
            Assert.Equal(expected.Keep, result.Keep());
            for (int t = 0; t < result.Weights.Length; t++)
            {
                double o = batch.OldLogProbabilities[t], q = batch.InferenceLogProbabilities[t];
                double relative = result.Weights[t] == 0 ? 0 : (Math.Abs(o) + Math.Abs(q) + Math.Abs(o - q) + 4) * Unit;
                IcePopCases.Near(expected.Weight![t], result.Weights[t], 2 * relative, 0, $"{name}: weight[{t}]");
                if (exact.Weights[t] != 0 && result.Weights[t] != 0)
                {
                    IcePopCases.Near(exact.Weights[t], result.Weights[t], relative, 0, $"{name}: exact weight[{t}]");
                }
            }

            foreach (LossAggregationKind kind in ObjectiveWords.Aggregations)
            {
                double gauge = IcePopCases.Gauge(result) * result.Coefficient(kind, 0);
                gauge = Math.Max(gauge, IcePopCases.Gauge(result) * MaximumCoefficient(result, kind));
                IcePopCases.Near(
                    expected.Loss[kind.Word()], result.Loss(kind), 1e-6, 1e-6 * gauge, $"{name}: {kind.Word()}");
                double[] gradient = expected.Gradient[kind.Word()];
                IcePopCases.Near(gradient, result.Gradient(kind), 4e-5, 1e-12, $"{name}: gradient {kind.Word()}");
            }
        }
    }

    private static double MaximumCoefficient(ObjectiveResult result, LossAggregationKind kind) =>
        Enumerable.Range(0, result.Rollouts).Max(row => result.Coefficient(kind, row));
}
