// Started by InstructionSets.cs of the tests: prints which instruction sets this process may use, then a hash of the
// bits of each computation. Sizes are small because the runtime without intrinsics runs every vector lane by lane.
using System;
using System.Linq;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using System.Security.Cryptography;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.BitsProbe;

internal static class Program
{
    private const string Configuration = """
        {"architectures":["BailingMoeV2ForCausalLM"],"model_type":"bailing_moe","hidden_act":"silu","hidden_size":140,
        "num_hidden_layers":2,"first_k_dense_replace":1,"num_attention_heads":4,"num_key_value_heads":2,"head_dim":20,
        "partial_rotary_factor":0.5,"rope_theta":10000,"max_position_embeddings":4096,"intermediate_size":50,
        "moe_intermediate_size":33,"num_experts":12,"n_group":3,"topk_group":2,"num_experts_per_tok":3,
        "num_shared_experts":1,"routed_scaling_factor":2.5,"rms_norm_eps":1e-6,"vocab_size":45,
        "num_nextn_predict_layers":1,"mtp_loss_scaling_factor":0.1}
        """;

    private static int Main()
    {
        Console.WriteLine($"flag Avx512F {Avx512F.IsSupported}");
        Console.WriteLine($"flag Avx512Vbmi {Avx512Vbmi.IsSupported}");
        Console.WriteLine($"flag Avx2 {Avx2.IsSupported}");
        Console.WriteLine($"flag Vector512.IsHardwareAccelerated {Vector512.IsHardwareAccelerated}");
        Console.WriteLine($"flag Vector256.IsHardwareAccelerated {Vector256.IsHardwareAccelerated}");
        Functions();
        using WorkerPool workers = new(1);
        Operators(workers);
        foreach (ExecutionEngine engine in Enum.GetValues<ExecutionEngine>())
        {
            Model<Float32Precision>(workers, engine);
            Model<BFloat16Precision>(workers, engine);
        }

        return 0;
    }

    private static void Functions()
    {
        // Every exponent and sign with 64 fractions each, and NaN and the infinities among them.
        float[] x = [.. Enumerable.Range(0, 512 * 64).Select(index => BitConverter.UInt32BitsToSingle(
            ((uint)index / 64 << 23) | ((uint)index % 64 * 0x20_8101u & 0x7F_FFFFu)))];
        Sweep("exp", x, Exponential.Exp);
        Sweep("log", x, Logarithm.Log);
        Sweep("sigmoid", x, Sigmoid.Apply);
        Sweep("silu", x, Silu.Apply);
        Sweep("bfloat16", x, BFloat16.Round);
        Hash("exp scalar", Array.ConvertAll(x, Exponential.Exp));
        Hash("log scalar", Array.ConvertAll(x, Logarithm.Log));
        Hash("sigmoid scalar", Array.ConvertAll(x, Sigmoid.Apply));
        Hash("silu scalar", Array.ConvertAll(x, Silu.Apply));
    }

    private static void Operators(WorkerPool workers)
    {
        TensorInfo matrix = new("probe.weight", ElementType.BFloat16, [45, 300]);
        using SyntheticSource source = new("probe", 3, [matrix]);
        float[] read = new float[1001], panel = new float[300 * 32];
        source.Read(matrix, 17, read);
        Hash("synthetic Read", read);
        source.ReadPanel(matrix, 32, 0, 300, panel); // 13 rows and 19 beyond the matrix
        Hash("synthetic ReadPanel", panel);

        float[] y = new float[7 * 45];
        LinearProjection.Vectorised<Float32Precision>(
            workers, Values(7 * 300, 1), new SourceMatrix(source, matrix, false), [], y);
        Hash("linear", y);
        Packed(workers);

        float[] gate = Values(1003, 2), up = Values(1003, 3), activated = new float[1003];
        SwiGlu.Vectorised<Float32Precision>(gate, up, activated);
        Hash("swiglu float32", activated);
        SwiGlu.Vectorised<BFloat16Precision>(gate, up, activated);
        Hash("swiglu bfloat16", activated);

        AttentionShape shape = new(1, 4, 2, 37, 5, 20, 50);
        float[] context = new float[37 * 4 * 20], weights = new float[4 * 37 * 42];
        CausalAttention.Vectorised<Float32Precision>(
            workers,
            shape,
            Values(4 * 37 * 20, 4),
            Values(2 * 50 * 20, 5),
            Values(2 * 50 * 20, 6),
            [],
            context,
            weights);
        Hash("attention context", context);
        Hash("attention weights", weights);

        RouterShape router = new(44, 4, 2, 5, 2.5f);
        int[] groups = new int[2], chosen = new int[5], all = new int[50 * 5];
        for (int t = 0; t < 50; t++)
        {
            GroupLimitedTopK.Vectorised(router, Values(44, 7 + (ulong)t), Values(44, 99), groups, chosen);
            chosen.CopyTo(all, t * 5);
        }

        Hash("topk", Array.ConvertAll(all, index => (float)index));
    }

    /// <summary>Weights in memory in every format, one row, one tile of rows and several.</summary>
    private static void Packed(WorkerPool workers)
    {
        TensorInfo bfloat16 = new("bfloat16", ElementType.BFloat16, [45, 300]);
        TensorInfo float32 = new("float32", ElementType.Float32, [45, 300]);
        TensorInfo codes = new("codes", ElementType.Float8E4M3, [45, 300]);
        TensorInfo scales = new("scales", ElementType.Float32, [1, 3]);
        using SyntheticSource source = new("probe", 3, [bfloat16, float32, codes, scales]);
        WeightMatrix[] weights =
        [
            new SourceMatrix(source, bfloat16, false),
            new SourceMatrix(source, float32, false),
            new Float8BlockMatrix(new CodeSource(source), codes, scales),
        ];
        foreach (WeightMatrix weight in weights)
        {
            weight.Pack(workers);
            foreach (int rows in new[] { 1, 7, 29 })
            {
                float[] y = new float[rows * 45];
                LinearProjection.Vectorised<Float32Precision>(workers, Values(rows * 300, 1), weight, [], y);
                Hash($"linear {weight.Panels!.Format}, {rows} rows", y);
            }
        }
    }

    private static void Model<TPrecision>(WorkerPool workers, ExecutionEngine engine)
        where TPrecision : struct, IPrecision
    {
        ModelConfiguration configuration =
            ConfigurationReader.Read(System.Text.Encoding.UTF8.GetBytes(Configuration), "probe");
        using SyntheticSource source = new("probe", 8, [.. TensorCatalog.For(configuration)]);
        ModelWeights weights = new(source, configuration, TPrecision.Name == BFloat16Precision.Name);
        RingFlashModel<float> model =
            new(configuration, weights, new Float32Operators<TPrecision>(engine, workers));
        long[] ids = [.. Enumerable.Range(0, 2 * 9).Select(index => (long)SyntheticSource.InputId(4, index, 45))];
        ForwardResult<float> result = model.Forward(new ForwardInput(ids, 2) { Labels = ids });
        string name = $"model {engine.Word()} {TPrecision.Name}";
        Hash($"{name} logits", result.Logits.Values);
        Hash($"{name} mtp", result.MultiTokenLogits!.Values);
        Hash($"{name} loss", [(float)result.Losses!.Total]);
    }

    private static void Sweep(string name, float[] x, Func<Vector512<float>, Vector512<float>> function)
    {
        float[] y = new float[x.Length];
        for (int index = 0; index < x.Length; index += 16)
        {
            function(Vector512.Create(x.AsSpan(index))).CopyTo(y, index);
        }

        Hash(name, y);
    }

    private static float[] Values(int count, ulong seed) =>
        [.. Enumerable.Range(0, count).Select(index => SyntheticSource.Element(seed, index, 0f, 2f))];

    private static void Hash(string name, float[] values)
    {
        // Which NaN comes out is not fixed by IEEE 754 and carries no meaning here.
        float[] canonical = Array.ConvertAll(values, value => float.IsNaN(value) ? float.NaN : value);
        Console.WriteLine($"{name}: {Convert.ToHexString(SHA256.HashData(MemoryMarshal.AsBytes(canonical.AsSpan())))}");
    }
}
