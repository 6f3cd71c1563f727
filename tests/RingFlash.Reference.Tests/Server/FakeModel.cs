// Shared by the tests of `server check`. Red here: a small legal model does not run.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.Json;
using RingFlash.Cli;
using RingFlash.Cli.Commands;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;
using RingFlash.Reference.Tests.Checkpoint;
using RingFlash.Reference.Tests.Cli;
using RingFlash.Reference.Tests.Tokenization;
using Xunit;

namespace RingFlash.Reference.Tests.Server;

/// <summary>What the fake servers answer from: our model, run plainly, and changed where a test wants it.</summary>
internal sealed class FakeModel : IDisposable
{
    private readonly WorkerPool workers = new(1);
    private readonly TemporaryFolder temporary = new();
    private readonly ModelName opened;
    private readonly RingFlashModel<float> model;

    public FakeModel(
        ulong seed = 7,
        Func<WorkerPool, ForwardOperators<float>>? operators = null,
        bool bfloat16 = false,
        Func<ModelConfiguration, ModelConfiguration>? wrong = null,
        bool withTokenizer = false)
    {
        int vocabulary = withTokenizer ? 512 : 131;
        string config = temporary.Write("config.json", JsonSerializer.Serialize(new Dictionary<string, object?>
        {
            ["architectures"] = new[] { "BailingMoeV2ForCausalLM" },
            ["model_type"] = "bailing_moe",
            ["hidden_act"] = "silu",
            ["hidden_size"] = 48,
            ["num_hidden_layers"] = 4,
            ["first_k_dense_replace"] = 1,
            ["num_attention_heads"] = 4,
            ["num_key_value_heads"] = 2,
            ["head_dim"] = 12,
            ["partial_rotary_factor"] = 0.5,
            ["rope_theta"] = 10000,
            ["max_position_embeddings"] = 4096,
            ["intermediate_size"] = 64,
            ["moe_intermediate_size"] = 16,
            ["num_experts"] = 16,
            ["n_group"] = 4,
            ["topk_group"] = 2,
            ["num_experts_per_tok"] = 4,
            ["num_shared_experts"] = 1,
            ["routed_scaling_factor"] = 2.5,
            ["rms_norm_eps"] = 1e-6,
            ["vocab_size"] = vocabulary,
            ["torch_dtype"] = "bfloat16",
        }));
        Name = $"synthetic:{config}@{seed.ToString(CultureInfo.InvariantCulture)}";
        if (withTokenizer)
        {
            // A tokenizer lies in a checkpoint folder.
            ToolContext quiet = ToolRun.Surroundings((_, _, _) => throw new NotSupportedException());
            string folder = temporary.File("model");
            string[] words = ["synth", "--config", config, "--seed", "7", "--out", folder];
            Assert.Equal(0, Program.RunAsync(words, quiet).GetAwaiter().GetResult());
            File.Copy(SmallTokenizer.PathOf("tokenizer.json"), Path.Combine(folder, "tokenizer.json"));
            Name = folder;
        }

        opened = ModelName.Open(Name, temporary.Path);
        Configuration = opened.Configuration;
        ModelConfiguration run = wrong?.Invoke(Configuration) ?? Configuration;
        model = new RingFlashModel<float>(
            run,
            new ModelWeights(opened.Weights, run, bfloat16),
            operators?.Invoke(workers) ?? new Float32Operators<Float32Precision>(ExecutionEngine.Vector512, workers));
    }

    /// <summary>What to type.</summary>
    public string Name { get; }

    public ModelConfiguration Configuration { get; }

    /// <summary>A folder for the test.</summary>
    public string Folder => temporary.Path;

    /// <summary>Changes log-probabilities, [tokens][vocabulary]; told how many prompts are asked together.</summary>
    public Func<float[][], int, float[][]> Change { get; set; } = (rows, _) => rows;

    /// <summary>Changes experts, [tokens, layers, topK].</summary>
    public Func<int[], int[]> ChangeExperts { get; set; } = experts => experts;

    public (float[][] LogProbabilities, int[] Experts) Run(IReadOnlyList<int> ids, int together)
    {
        lock (model)
        {
            Decisions trace = new(Configuration);
            ForwardResult<float> result =
                model.Forward(new ForwardInput([.. ids.Select(id => (long)id)], 1), null, trace);
            float[][] rows = [.. Enumerable.Range(0, ids.Count).Select(token =>
            {
                float[] row = new float[Configuration.VocabularySize];
                LogSoftmax.Apply(ExecutionEngine.Vector512, result.Logits.Row(token), row);
                return row;
            })];
            return (Change(rows, together), ChangeExperts(trace.Experts(ids.Count)));
        }
    }

    public void Dispose()
    {
        opened.Dispose();
        workers.Dispose();
        temporary.Dispose();
    }

    private sealed class Decisions(ModelConfiguration configuration) : ForwardTrace<float>
    {
        private readonly Dictionary<int, int[]> chosen = [];

        public override void Tap(string name, HostTensor<float> tensor)
        {
        }

        public override void TapDecision(string name, RouterDecision<float> decision) =>
            chosen[int.Parse(name.Split('.')[2], CultureInfo.InvariantCulture)] = [.. decision.TopKIndices];

        public override bool Wants(string name) => false;

        public int[] Experts(int tokens)
        {
            int topK = configuration.ExpertsPerToken, layers = configuration.LayerCount;
            int[] experts = new int[tokens * layers * topK];
            foreach ((int layer, int[] indices) in chosen.Where(
                pair => pair.Key < layers && pair.Value.Length == tokens * topK)) // a wrong model may choose fewer
            {
                for (int token = 0; token < tokens; token++)
                {
                    indices.AsSpan(token * topK, topK)
                        .CopyTo(experts.AsSpan(((token * layers) + layer) * topK));
                }
            }

            return experts;
        }
    }
}
