// Red here means that verify passes on the shipped cases only, and not on other configurations that the model code
// allows.
using System.Collections.Generic;
using System.IO;
using System.Linq;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Tests.Checkpoint;
using RingFlash.Reference.Verification;
using Xunit;

namespace RingFlash.Reference.Tests.Verification;

/// <summary>Cases made by the float64 oracle, verified by both engines, isolated and free.</summary>
public sealed class OddCases
{
    private const string Yarn = "{\"type\":\"yarn\",\"factor\":8,\"original_max_position_embeddings\":128,"
        + "\"beta_fast\":16,\"beta_slow\":2,\"attention_factor\":0.9}";

    public static TheoryData<string, string[]> Configurations => new()
    {
        { "six heads of 20, three key/value heads", ["num_attention_heads=6", "num_key_value_heads=3", "head_dim=20"] },
        { "one key/value head", ["num_key_value_heads=1"] },
        { "head of 96, rotary over a quarter", ["head_dim=96", "partial_rotary_factor=0.25"] },
        { "rotary over the whole head", ["partial_rotary_factor=1.0"] },
        { "biases", ["use_bias=true", "use_qkv_bias=true"] },
        { "no query and key norm", ["use_qk_norm=false"] },
        { "no dense layer", ["first_k_dense_replace=0"] },
        { "two dense layers", ["first_k_dense_replace=2"] },
        { "two shared experts", ["num_shared_experts=2"] },
        { "no shared expert", ["num_shared_experts=0"] },
        { "one group", ["n_group=1", "topk_group=1"] },
        { "eight groups, all but one chosen", ["n_group=8", "topk_group=7", "num_experts_per_tok=6"] },
        { "one expert per token", ["num_experts_per_tok=1"] },
        { "no MTP layer", ["num_nextn_predict_layers=0"] },
        { "tied embeddings", ["tie_word_embeddings=true"] },
        { "YaRN with its own ramp and factor", ["max_position_embeddings=1024", "rope_scaling=" + Yarn] },
        { "other epsilon and theta", ["rms_norm_eps=1e-05", "rope_theta=10000"] },
    };

    [Theory]
    [MemberData(nameof(Configurations))]
    public void Passes(string name, string[] changes)
    {
        Assert.NotEmpty(name);
        Check(changes, positionOffset: 0);
    }

    [Theory]
    [InlineData(1000)]
    [InlineData(31000)]
    public void PassesAtFarPositions(int positionOffset) => Check([], positionOffset);

    [Fact]
    public void PassesWithMoreKeysThanABlock() => Check([], 0, batch: 1, tokens: 150);

    private static void Check(string[] changes, int positionOffset, int batch = 2, int tokens = 11)
    {
        using TemporaryFolder temporary = new();
        string folder = Path.Combine(temporary.Path, "odd");
        (string Key, string? Json)[] parsed =
            [.. changes.Select(change => change.Split('=', 2)).Select(pair => (pair[0], (string?)pair[1]))];
        OracleCase.Write(
            folder, OracleCase.Configuration(parsed), positionOffset: positionOffset, batch: batch, tokens: tokens);
        VerifyReport report = Verifier.Run(new VerifyOptions
        {
            Paths = [folder],
            Engines = [ExecutionEngine.Scalar, ExecutionEngine.Vector512],
            ThreadCount = 2,
        });
        Assert.Equal(0, report.ExitCode);
        Assert.Equal(4, report.Passed);
        foreach (CaseResult run in report.Cases)
        {
            Assert.Empty(run.NotCompared);
            Assert.All(run.Taps, tap => Assert.Equal(Verdict.Passed, tap.Verdict));
            Assert.True(run.Compared > 1000);
        }
    }
}
