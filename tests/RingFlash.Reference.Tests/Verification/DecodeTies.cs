// Red here: a greedy token that two equal logits left open is called an error, or what follows it is compared with
// another text.
using System;
using System.IO;
using System.Linq;
using System.Text;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Tests.Checkpoint;
using RingFlash.Reference.Verification;
using Xunit;

namespace RingFlash.Reference.Tests.Verification;

/// <summary>A head whose rows come in equal pairs: every step is a tie, and the reference takes the other.</summary>
public sealed class DecodeTies
{
    private const int Steps = 5, Vocabulary = 100, Hidden = 48;

    [Fact]
    public void IsolatedEveryStepIsANearTieAndCompared()
    {
        CaseResult run = Verify(VerifyMode.Isolated);
        Assert.Equal(Verdict.Passed, run.Verdict);
        Assert.Equal(Steps * Vocabulary, Tap(run, "nextn0.step_logits").Compared);
        Assert.Equal(Steps, Tap(run, "nextn0.generated_ids").Compared);
        Assert.Equal("near ties at steps 0, 1, 2, 3, 4", Tap(run, "nextn0.generated_ids").Note);
    }

    [Fact]
    public void FreeWhatFollowsTheFirstNearTieIsLeftOutAndCounted()
    {
        CaseResult run = Verify(VerifyMode.Free);
        Assert.Equal(Verdict.Passed, run.Verdict);
        TapResult logits = Tap(run, "nextn0.step_logits");
        Assert.Equal((Vocabulary, (Steps - 1) * Vocabulary), ((int)logits.Compared, (int)logits.BehindNearTie));
        TapResult ids = Tap(run, "nextn0.generated_ids");
        Assert.Equal((1, Steps - 1), ((int)ids.Compared, (int)ids.BehindNearTie));
        Assert.Equal("near ties at steps 0", ids.Note);
    }

    private static TapResult Tap(CaseResult run, string name) => run.Taps.Single(tap => tap.Tap == name);

    private static CaseResult Verify(VerifyMode mode)
    {
        using TemporaryFolder temporary = new();
        string folder = Path.Combine(temporary.Path, "ties");
        Write(folder);
        return Verifier.Run(new VerifyOptions { Paths = [folder], Modes = [mode], ThreadCount = 1 }).Cases.Single();
    }

    private static void Write(string folder)
    {
        string json = OracleCase.Configuration(("vocab_size", "100"), ("num_nextn_predict_layers", "0"));
        ModelConfiguration configuration = ConfigurationReader.Read(Encoding.UTF8.GetBytes(json), "config.json");
        float Weight(int pair, int column) =>
            MathF.ScaleB(SyntheticSource.InputId(3, (pair * Hidden) + column, 255) - 127, -10);
        float[] head = [.. Enumerable.Range(0, Vocabulary * Hidden)
            .Select(index => Weight(index / Hidden / 2, index % Hidden))];
        SafetensorsContent[] weights =
            [SafetensorsContent.FromSingle("weights.lm_head.weight", [Vocabulary, Hidden], head)];
        OracleCase.Write(folder, json, batch: 1, tokens: 4, weights: weights);
        string description = Path.Combine(folder, "case.json"), path = Path.Combine(folder, "golden.safetensors");
        File.WriteAllText(description, File.ReadAllText(description)
            .Replace("\"use_cache\":false", "\"use_cache\":true", StringComparison.Ordinal));

        long[] prompt = [1, 2, 3, 4], ids = new long[Steps];
        float[] logits = new float[Steps * Vocabulary];
        using (GoldenCase draft = GoldenCase.Open(folder))
        using (IWeightSource source = draft.OpenWeights(configuration))
        using (WorkerPool workers = new(1))
        {
            RingFlashModel<float> model = new(
                configuration,
                new ModelWeights(source, configuration, false),
                new Float32Operators<Float32Precision>(ExecutionEngine.Scalar, workers));
            for (int step = 0; step < Steps; step++)
            {
                ForwardResult<float> result = model.Forward(new ForwardInput([.. prompt, .. ids[..step]], 1));
                ReadOnlySpan<float> last = result.Logits.Row(result.Logits.Rows - 1);
                last.CopyTo(logits.AsSpan(step * Vocabulary));
                ids[step] = last.LastIndexOf(last.ToArray().Max()); // ours is the first of the pair
            }
        }

        SafetensorsWriter.Write(
            path,
            [
                SafetensorsContent.FromInt64("input_ids", [1, 4], prompt),
                SafetensorsContent.FromInt64("nextn0.generated_ids", [1, Steps], ids),
                SafetensorsContent.FromSingle("nextn0.step_logits", [1, Steps, Vocabulary], logits),
                .. weights,
            ]);
    }
}
