// Red here means that `server check` lets wrong numbers pass, accuses right ones, or names another mistake.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using RingFlash.Cli;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Tests.Cli;
using Xunit;

namespace RingFlash.Reference.Tests.Server;

public sealed class ServerCheckNumberTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData("vllm", 1, "the token before")]
    [InlineData("vllm", -1, "the token after")]
    [InlineData("sglang", 1, "the token before")]
    public async Task ShiftedByOneToken(string kind, int shift, string hint)
    {
        using FakeModel model = new();
        await using FakeServer server = await FakeServer.Start(model, kind);
        server.Damage = (_, answer) =>
        {
            foreach (JsonNode? item in answer is JsonArray items ? items.ToArray() : [answer])
            {
                foreach (JsonNode? choice in item!["choices"]?.AsArray() ?? [])
                {
                    Shift(choice!["prompt_logprobs"] is JsonArray places
                        ? [.. places.Skip(1).Select(place => (place!.AsObject().First().Value!, "logprob"))]
                        : []);
                }

                Shift(item["meta_info"]?["input_token_logprobs"] is JsonArray list
                    ? [.. list.Skip(1).Select(triple => (triple!, "0"))]
                    : []);
            }

            return answer;
        };
        ToolRun run = await server.Check();
        Assert.Equal(ExitCodes.OverBudget, run.Code);
        Assert.Contains($"log-probabilities of {hint}", Flat(run), StringComparison.Ordinal);

        void Shift((JsonNode Place, string Name)[] places)
        {
            double[] numbers = [.. places.Select(place => (double)At(place)!)];
            for (int place = 0; place < places.Length; place++)
            {
                double number = numbers[Math.Clamp(place - shift, 0, numbers.Length - 1)];
                if (places[place].Name == "0")
                {
                    places[place].Place[0] = number;
                }
                else
                {
                    places[place].Place["logprob"] = number;
                }
            }
        }

        static JsonNode? At((JsonNode Place, string Name) place) =>
            place.Name == "0" ? place.Place[0] : place.Place[place.Name];
    }

    [Theory]
    [InlineData("vllm", 0.7, "float32")]
    [InlineData("sglang", 1.3, "float32")]
    [InlineData("vllm", 0.6, "bfloat16")]
    [InlineData("openai", 0.6, "bfloat16")]
    public async Task TemperatureThatNobodyAskedFor(string kind, double temperature, string precision)
    {
        using FakeModel model = new()
        {
            Change = (rows, _) => [.. rows.Select(row => Normalised(row, value => value / temperature))],
        };
        await using FakeServer server = await FakeServer.Start(model, kind);
        ToolRun run = await server.Check("--precision", precision);
        Assert.Equal(ExitCodes.OverBudget, run.Code);
        Assert.Contains($"at temperature {temperature:0.00}", Flat(run), StringComparison.Ordinal);
    }

    [Fact]
    public async Task LogarithmsToBaseTen()
    {
        using FakeModel model = new()
        {
            Change = (rows, _) => [.. rows.Select(row => Array.ConvertAll(row, value => value / (float)Math.Log(10)))],
        };
        await using FakeServer server = await FakeServer.Start(model);
        ToolRun run = await server.Check();
        Assert.Equal(ExitCodes.OverBudget, run.Code);
        Assert.Contains("logarithms to base 10", Flat(run), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("vllm", "another expert")]
    [InlineData("sglang", "another expert")]
    [InlineData("vllm", "zeros")]
    [InlineData("vllm", "twice")]
    [InlineData("sglang", "no such expert")]
    [InlineData("vllm", "layers swapped")]
    public async Task WrongExperts(string kind, string fault)
    {
        using FakeModel model = new();
        int topK = model.Configuration.ExpertsPerToken, layers = model.Configuration.LayerCount;
        model.ChangeExperts = experts =>
        {
            int[] changed = [.. experts];
            for (int token = 0; token < experts.Length / topK / layers; token++)
            {
                Span<int> one = changed.AsSpan(((token * layers) + 2) * topK, topK);
                switch (fault)
                {
                    case "another expert":
                        int last = one[^1];
                        one[^1] = Enumerable.Range(0, 16).First(expert => expert / 4 != last / 4
                            && !experts.AsSpan(((token * layers) + 2) * topK, topK).Contains(expert));
                        break;
                    case "zeros":
                        one.Clear();
                        break;
                    case "twice":
                        one[1] = one[0];
                        break;
                    case "no such expert":
                        one[0] = 16;
                        break;
                    default:
                        experts.AsSpan(((token * layers) + 3) * topK, topK).CopyTo(one);
                        break;
                }
            }

            return changed;
        };
        await using FakeServer server = await FakeServer.Start(model, kind);
        ToolRun run = await server.Check("--precision", "float32");
        Assert.Equal(ExitCodes.OverBudget, run.Code);
        Assert.Contains("sets of experts are wrong: prompt 1, token 0, layer 2", Flat(run), StringComparison.Ordinal);
        Assert.True((bool)server.Json["logProbabilities"]!["equalToTheBit"]!);
    }

    [Fact]
    public async Task ExpertsInAnotherOrderAreTheSame()
    {
        using FakeModel model = new();
        model.ChangeExperts = experts =>
            [.. experts.Chunk(model.Configuration.ExpertsPerToken).SelectMany(set => set.Reverse())];
        await using FakeServer server = await FakeServer.Start(model);
        ToolRun run = await server.Check();
        Assert.True(run.Code == 0, run.Output);
        Assert.Contains("(0 in the same order), 0 near ties, 0 wrong", Flat(run), StringComparison.Ordinal);
    }

    [Fact]
    public async Task AListThatLacksTheMostLikelyToken()
    {
        using FakeModel model = new();
        await using FakeServer server = await FakeServer.Start(model, "sglang");
        server.Damage = (_, answer) =>
        {
            foreach (JsonNode? item in answer is JsonArray items ? items.ToArray() : [answer])
            {
                foreach (JsonNode? list in item!["meta_info"]!["output_top_logprobs"]!.AsArray())
                {
                    list![0] = list[4]!.DeepClone();
                }
            }

            return answer;
        };
        ToolRun run = await server.Check("--precision", "float32");
        Assert.Equal(ExitCodes.OverBudget, run.Code);
        Assert.Contains("lists of the most likely tokens lack one", Flat(run), StringComparison.Ordinal);
    }

    [Fact]
    public async Task WrongRanks()
    {
        using FakeModel model = new();
        await using FakeServer server = await FakeServer.Start(model);
        server.Damage = (_, answer) =>
        {
            foreach (JsonNode? choice in answer["choices"]!.AsArray())
            {
                foreach (JsonNode? place in choice!["prompt_logprobs"]?.AsArray().Skip(1) ?? [])
                {
                    JsonNode own = place!.AsObject().First().Value!;
                    own["rank"] = (int)own["rank"]! + 1;
                }
            }

            return answer;
        };
        ToolRun run = await server.Check("--precision", "float32");
        Assert.Equal(ExitCodes.OverBudget, run.Code);
        Assert.Contains("59 of 59 ranks are not those", Flat(run), StringComparison.Ordinal);
    }

    [Fact]
    public async Task AServerThatIsNotGreedy()
    {
        using FakeModel model = new();
        await using FakeServer server = await FakeServer.Start(model);
        server.GreedyPlace = 1;
        ToolRun run = await server.Check("--precision", "float32");
        Assert.Equal(ExitCodes.OverBudget, run.Code);
        Assert.Contains(
            "12 of 12 tokens at temperature 0 are not the most likely", Flat(run), StringComparison.Ordinal);
    }

    [Fact]
    public async Task OtherNumbersInABatchAreFoundAndJudgedByTheNoise()
    {
        using FakeModel model = new();
        await using FakeServer server = await FakeServer.Start(model);
        float off = 1e-4f;
        model.Change = (rows, together) => together == 1
            ? rows
            : [.. rows.Select(row => Array.ConvertAll(row, value => value - off))];
        ToolRun run = await server.Check();
        Assert.True(run.Code == 0, run.Output);
        JsonNode row = Assert.Single(
            server.Json["invariance"]!.AsArray(), one => (string)one!["prompt"]! == "in a batch of 3")!;
        Assert.Equal(0, (int)row["equal"]!);
        Assert.InRange((double)row["maximum"]!, 0.9e-4, 1.1e-4);
        Assert.Contains("within the noise", run.Output, StringComparison.Ordinal);

        off = 3;
        run = await server.Check();
        Assert.Equal(ExitCodes.OverBudget, run.Code);
        Assert.Contains("the same prompt in a batch of 3 gets other numbers", Flat(run), StringComparison.Ordinal);
    }

    [Fact]
    public async Task BFloat16IsInnocentUnderBFloat16AndNotUnderFloat32()
    {
        using FakeModel model = new(operators: workers => new OtherRounding(workers, 3), bfloat16: true);
        await using FakeServer server = await FakeServer.Start(model);
        ToolRun run = await server.Check("--precision", "bfloat16");
        Assert.True(run.Code == 0, run.Output);
        Assert.False((bool)server.Json["logProbabilities"]!["equalToTheBit"]!);
        run = await server.Check("--precision", "float32");
        Assert.Equal(ExitCodes.OverBudget, run.Code);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task LegalRoundingsAreNeverAccused(bool experts)
    {
        List<string> accused = [];
        List<double> single = [], many = [], median = [];
        int behind = 0, nearTies = 0;
        for (ulong seed = 0; seed < 24; seed++)
        {
            for (int kind = 0; kind < 4; kind++)
            {
                using FakeModel model = new(seed, workers => new OtherRounding(workers, kind), bfloat16: true);
                await using FakeServer server = await FakeServer.Start(model);
                server.TellsExperts = experts;
                ToolRun run = await server.Check();
                JsonNode scores = server.Json["logProbabilities"]!;
                single.Add((double)scores["ofNoiseSingle"]!);
                many.Add((double)scores["ofNoiseRootMeanSquare"]!);
                median.Add((double)scores["ofNoiseMedian"]!);
                behind += (int)scores["behindNearTies"]!;
                nearTies += server.Json["experts"]?.AsArray().Sum(row => (int)row!["nearTies"]!) ?? 0;
                if (run.Code != 0)
                {
                    accused.Add($"seed {seed}, rounding {kind}: {server.Json["failures"]}");
                }
            }
        }

        output.WriteLine($"96 legal servers, of the noise: {Spread(single)}; {Spread(many)}; {Spread(median)}");
        output.WriteLine($"{nearTies} near ties of the router, {behind} numbers behind what may be one");
        Assert.True(accused.Count == 0, $"{accused.Count} of 96:\n{string.Join('\n', accused)}");

        if (experts)
        {
            // Our model followed the server's near ties, so that every number could be held against the small noise.
            Assert.InRange(nearTies, 20, 100_000);
            Assert.InRange(behind, 0, 96 * 444 / 20);
        }

        static string Spread(List<double> values) =>
            $"median {values.Order().ElementAt(values.Count / 2):0.00}, largest {values.Max():0.00}";
    }

    [Theory]
    [InlineData("no scaling of experts")]
    [InlineData("no norm of queries and keys")]
    [InlineData("other rotary base")]
    [InlineData("one expert less")]
    [InlineData("all groups")]
    [InlineData("no shared expert")]
    public async Task AWrongModelIsFoundEvenInBFloat16(string fault)
    {
        for (ulong seed = 0; seed < 6; seed++)
        {
            using FakeModel model = new(
                seed,
                workers => new OtherRounding(workers, 0),
                bfloat16: true,
                wrong: configuration => fault switch
                {
                    "no scaling of experts" => configuration with { RoutedScalingFactor = 1 },
                    "no norm of queries and keys" => configuration with { UseQueryKeyNorm = false },
                    "other rotary base" => configuration with
                    {
                        Rotary = configuration.Rotary with { Theta = 500 },
                    },
                    "one expert less" => configuration with { ExpertsPerToken = 3 },
                    "all groups" => configuration with { ChosenGroupCount = 4 },
                    _ => configuration with { SharedExpertCount = 0 },
                });
            await using FakeServer server = await FakeServer.Start(model);
            server.TellsExperts = false; // else that alone would tell
            ToolRun run = await server.Check();
            JsonNode scores = server.Json["logProbabilities"]!;
            output.WriteLine($"{fault}, seed {seed}: {scores["ofNoiseSingle"]:0.00} "
                + $"{scores["ofNoiseRootMeanSquare"]:0.00} {scores["ofNoiseMedian"]:0.00}");
            Assert.True(run.Code == ExitCodes.OverBudget, $"seed {seed}: {run.Output}");
        }
    }

    private static float[] Normalised(float[] row, Func<double, double> change)
    {
        double[] changed = Array.ConvertAll(row, value => change(value));
        double logSum = Math.Log(changed.Sum(Math.Exp));
        return Array.ConvertAll(changed, value => (float)(value - logSum));
    }

    private static string Flat(ToolRun run) =>
        string.Join(' ', run.Output.Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries));

    /// <summary>
    /// bfloat16 as somebody else's kernels round: other sums (a sum that is a little off before it is rounded), and
    /// attention, norm, or neither, in float32 to their end. None of these is a run of the tool.
    /// </summary>
    private sealed class OtherRounding(WorkerPool workers, int kind)
        : Float32Operators<BFloat16Precision>(ExecutionEngine.Vector512, workers)
    {
        private readonly Float32Operators<Float32Precision> wide = new(ExecutionEngine.Vector512, workers);

        public override HostTensor<float> LinearProjection(HostTensor<float> x, WeightMatrix weight, float[] bias)
        {
            HostTensor<float> y = wide.LinearProjection(x, weight, bias);
            uint state = 12345;
            foreach (ref float value in y.Span)
            {
                state = (state * 1664525) + 1013904223;
                value = BFloat16.Round(value * (1 + (((state >> 8) - 8388608f) / 8388608f * 1e-6f)));
            }

            return y;
        }

        public override HostTensor<float> CausalAttention(
            RingFlash.Reference.Operators.AttentionShape shape,
            HostTensor<float> query,
            HostTensor<float> keys,
            HostTensor<float> values,
            byte[] visible,
            HostTensor<float>? weights) => kind is 1 or 3
                ? Round(wide.CausalAttention(shape, query, keys, values, visible, weights))
                : base.CausalAttention(shape, query, keys, values, visible, weights);

        public override HostTensor<float> RmsNorm(HostTensor<float> x, float[] weight, float epsilon) => kind is 2 or 3
            ? Round(wide.RmsNorm(x, weight, epsilon))
            : base.RmsNorm(x, weight, epsilon);

        public override HostTensor<float> SwiGlu(HostTensor<float> gate, HostTensor<float> up) => kind == 2
            ? Round(wide.SwiGlu(gate, up))
            : base.SwiGlu(gate, up);

        private static HostTensor<float> Round(HostTensor<float> tensor)
        {
            foreach (ref float value in tensor.Span)
            {
                value = BFloat16.Round(value);
            }

            return tensor;
        }
    }
}
