using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Diagnosis;

/// <summary>Mistakes in what numbers are stored and computed in, and choices of it that are none.</summary>
internal static class PrecisionMistakes
{
    private const ModelBlocks Products = ModelBlocks.Layer | ModelBlocks.Head | ModelBlocks.MultiToken;

    private static readonly (string Value, string? Matrices, bool Experts)[] Groups =
    [
        ("every projection of the layer", ".", true),
        ("query_key_value and dense", ".attention.", false),
        ("query_key_value", ".query_key_value.", false),
        ("dense", ".attention.dense.", false),
        ("all of the MLP", ".mlp.", true),
        ("routed experts", null, true),
        ("shared expert and dense MLP", ".mlp.", false),
    ];

    /// <summary>The mistakes.</summary>
    public static IEnumerable<Mistake> All =>
    [
        new(
            "precision.quantised",
            "a layer quantised to FP8 that the checkpoint has in full",
            ModelBlocks.Layer | ModelBlocks.MultiToken,
            "e4m3(W / s)·s in blocks of 128 × 128, or one s for the matrix",
            "W",
            "quantisation lists matched by substring (verl#7519)")
        {
            IsCostly = true,
            Variants =
            [
                .. Groups.Select(group => Changed(group.Value + ", blocks of 128", group, InBlocks)),
                .. Groups.Select(group => Changed(group.Value + ", one scale", group, WithOneScale)),
                .. Groups.Select(group => Changed(group.Value + ", a scale per output", group, WithRowScales)),
                .. Groups.Select(group => Changed(group.Value + ", no scale", group, matrix =>
                    matrix.Map((_, _, value) => Float8E4M3.ToSingle(Float8E4M3.FromSingle(value))))),
                .. Groups.Select(group => Changed(group.Value + ", int8 per output", group, WithIntegers)),
            ],
        },
        new(
            "precision.unquantised",
            "a layer in full that the checkpoint has in FP8",
            ModelBlocks.Layer | ModelBlocks.MultiToken,
            "W",
            "codes · scale",
            "verl#7519: a layer silently unquantised by a substring match; needs a source that knows W")
        {
            IsCostly = true,
            Variants = [.. Groups.Select(group => new MistakeVariant(group.Value, parts => Unquantised(parts, group)))],
        },
        new(
            "precision.scale",
            "FP8 block scales used wrongly",
            ModelBlocks.Layer | ModelBlocks.MultiToken,
            "codes, codes / scale, or another block's scale",
            "codes · scale: weight_scale_inv is multiplied",
            "the name weight_scale_inv says inverse")
        {
            IsCostly = true,
            Variants =
            [
                .. Groups.SelectMany(group => new[]
                {
                    Scales(group, "left out", (matrix, row, column, value) =>
                        value / matrix.RowScales(row)[column / Float8BlockMatrix.BlockSize]),
                    Scales(group, "divided by", (matrix, row, column, value) => value / (float)Math.Pow(
                        matrix.RowScales(row)[column / Float8BlockMatrix.BlockSize], 2)),
                    Scales(group, "transposed", (matrix, row, column, value) =>
                    {
                        ReadOnlySpan<float> own = matrix.RowScales(row);
                        int block = Float8BlockMatrix.BlockSize, otherRow = column / block * block;
                        return matrix.Inputs != matrix.Outputs ? value
                            : value / own[column / block] * matrix.RowScales(otherRow)[row / block];
                    }),
                    Scales(group, "of the first block only", (matrix, row, column, value) =>
                        value / matrix.RowScales(row)[column / Float8BlockMatrix.BlockSize] * matrix.RowScales(0)[0]),
                }),
            ],
        },
        new(
            "precision.tf32",
            "matrix products in TF32",
            Products,
            "operands rounded to 10 bits of fraction",
            "float32 products",
            "torch.backends.cuda.matmul.allow_tf32")
        {
            IsCostly = true,
            Variants =
            [
                new("all products", parts => Operands(parts, _ => true, router: true, experts: true, ToTf32)),
                new("the router's", parts => Operands(parts, _ => false, router: true, experts: false, ToTf32)),
            ],
        },
        new(
            "precision.bfloat16-products",
            "matrix products with bfloat16 operands in a float32 run",
            Products,
            "bf16(x) · bf16(W)ᵀ",
            "x · Wᵀ in float32",
            "autocast")
        {
            IsCostly = true,
            Variants =
            [
                new("all but the router's", parts =>
                    Operands(parts, _ => true, router: false, experts: true, BFloat16.Round)),
                new("all, results rounded too", parts => Rounded(
                    Operands(parts, _ => true, router: true, experts: true, BFloat16.Round))),
            ],
        },
        new(
            "precision.norm-one-rounding",
            "norms that round once",
            ModelBlocks.Attention | ModelBlocks.FeedForward | ModelBlocks.FinalNorm | ModelBlocks.MultiToken,
            "bf16(x / rms · w)",
            "bf16(bf16(x / rms) · w)",
            "FlashInfer")
        {
            Variants = [NormMistakes.At(string.Empty, _ => true, OneRounding)],
            IsPrecision = true,
        },
        new(
            "precision.rotary-float32",
            "cosines and sines in float32 in a bfloat16 run",
            ModelBlocks.Attention,
            "cos, sin in float32",
            "cos, sin rounded to bfloat16",
            "SGLang on CUDA, llama.cpp")
        {
            Variants = [new(string.Empty, parts => parts.Hook((o, w) => new HookedOperators(o, w)
            {
                Tables = (ops, table, positions, batch) =>
                {
                    HostTensor<float> cosine = new(
                        batch, positions.Length / batch, 2 * table.InverseFrequencies.Length);
                    HostTensor<float> sine = cosine.Zeros();
                    table.Fill(positions, cosine.Span, sine.Span);
                    return (cosine, sine);
                },
            }))],
            IsPrecision = true,
        },
        new(
            "precision.attention-float32",
            "attention without rounding inside, in a bfloat16 run",
            ModelBlocks.Attention,
            "softmax(q·kᵀ/√d)·v in float32, rounded once",
            "scores and weights rounded to bfloat16, as eager code does",
            "SDPA and flash kernels")
        {
            Variants = [new(string.Empty, AttentionInFloat32)],
            IsPrecision = true,
        },
    ];

    /// <summary>Changes matrices that every token is multiplied with, by name.</summary>
    /// <param name="parts">The model.</param>
    /// <param name="name">A part of the name.</param>
    /// <param name="change">The change; made once for a matrix.</param>
    /// <returns>The varied model.</returns>
    public static ModelParts OfWeights(ModelParts parts, string name, Func<WeightMatrix, WeightMatrix> change)
    {
        Dictionary<WeightMatrix, WeightMatrix> changed = [];
        WeightMatrix Of(WeightMatrix matrix) =>
            !matrix.Name.StartsWith("model.layers.", StringComparison.Ordinal)
                || !matrix.Name.Contains(name, StringComparison.Ordinal) ? matrix
            : changed.TryGetValue(matrix, out WeightMatrix? there) ? there
            : changed[matrix] = change(matrix);
        bool router = name == ".mlp.gate.";
        return parts.Hook((o, w) => new HookedOperators(o, w)
        {
            Product = (ops, x, weight, bias) => ops.LinearProjection(x, Of(weight), bias),
            Logits = (ops, x, gate) => ops.RouterLogits(x, router ? Of(gate) : gate),
        });
    }

    /// <summary>Changes routed experts.</summary>
    /// <param name="parts">The model.</param>
    /// <param name="change">The change; made once for an expert.</param>
    /// <returns>The varied model.</returns>
    public static ModelParts OfExperts(ModelParts parts, Func<ExpertWeights, ExpertWeights> change)
    {
        Dictionary<SparseWeights, SparseWeights> changed = [];
        return parts.Hook((o, w) => new HookedOperators(o, w)
        {
            Experts = (ops, x, decision, experts) => ops.RoutedExperts(
                x,
                decision,
                changed.TryGetValue(experts, out SparseWeights? there) ? there
                    : changed[experts] = experts.Each(change)),
        });
    }

    // A model in FP8 is quantised already, and any other has no scales.
    private static MistakeVariant Changed(
        string value,
        (string Value, string? Matrices, bool Experts) group,
        Func<WeightMatrix, WeightMatrix> change,
        bool inFloat8 = false) => new(value, parts => parts.Configuration.Quantization is not null == inFloat8
            ? OfGroup(parts, group, change)
            : parts);

    private static ModelParts OfGroup(
        ModelParts parts,
        (string Value, string? Matrices, bool Experts) group,
        Func<WeightMatrix, WeightMatrix> change)
    {
        parts = group.Matrices is null ? parts : OfWeights(parts, group.Matrices, change);
        return !group.Experts ? parts : OfExperts(parts, expert => new ExpertWeights(
            change(expert.Gate), change(expert.Up), change(expert.Down)));
    }

    private static MistakeVariant Scales(
        (string Value, string? Matrices, bool Experts) group,
        string value,
        Func<Float8BlockMatrix, int, int, float, float> change) =>
        Changed($"{value}, {group.Value}", group, matrix => matrix is not Float8BlockMatrix blocks ? matrix
            : blocks.Map((row, column, entry) => change(blocks, row, column, entry)), inFloat8: true);

    private static WeightMatrix InBlocks(WeightMatrix matrix)
    {
        if (matrix is Float8BlockMatrix)
        {
            return matrix;
        }

        float[] values = matrix.ReadAll();
        int blocks = (matrix.Inputs + 127) / 128;
        byte[] codes = new byte[values.Length];
        float[] scales = new float[blocks * ((matrix.Outputs + 127) / 128)];
        for (int row = 0; row < matrix.Outputs; row += 128)
        {
            int count = Math.Min(128, matrix.Outputs - row) * matrix.Inputs, start = row * matrix.Inputs;
            Float8BlockQuantization.QuantizeBlockRow(
                values.AsSpan(start, count),
                matrix.Inputs,
                Float8BlockQuantization.HasPowerOfTwoScale(matrix.Name),
                codes.AsSpan(start, count),
                matrix.Inputs,
                scales.AsSpan(row / 128 * blocks, blocks));
        }

        return matrix.Map((row, column, _) => Float8E4M3.ToSingle(codes[(row * matrix.Inputs) + column])
            * scales[(row / 128 * blocks) + (column / 128)]);
    }

    private static WeightMatrix WithOneScale(WeightMatrix matrix)
    {
        float scale = Math.Max(matrix.ReadAll().Max(Math.Abs), 1e-12f) / Float8E4M3.MaxValue;
        return matrix.Map((_, _, value) => Float8E4M3.ToSingle(Float8E4M3.FromSingle(value / scale)) * scale);
    }

    private static WeightMatrix WithRowScales(WeightMatrix matrix)
    {
        float[] scales = RowMaxima(matrix, Float8E4M3.MaxValue);
        return matrix.Map((row, _, value) =>
            Float8E4M3.ToSingle(Float8E4M3.FromSingle(value / scales[row])) * scales[row]);
    }

    private static WeightMatrix WithIntegers(WeightMatrix matrix)
    {
        float[] scales = RowMaxima(matrix, 127);
        return matrix.Map((row, _, value) => MathF.Round(value / scales[row]) * scales[row]);
    }

    private static float[] RowMaxima(WeightMatrix matrix, float largest)
    {
        float[] maxima = new float[matrix.Outputs];
        matrix.Map((row, _, value) =>
        {
            maxima[row] = Math.Max(maxima[row], Math.Abs(value));
            return value;
        });
        return Array.ConvertAll(maxima, maximum => Math.Max(maximum, 1e-12f) / largest);
    }

    private static ModelParts Unquantised(ModelParts parts, (string Value, string? Matrices, bool Experts) group)
    {
        SyntheticSource? known =
            parts.Source as SyntheticSource ?? (parts.Source as OverlaySource)?.Under as SyntheticSource;
        if (known is null || parts.Configuration.Quantization is null)
        {
            return parts;
        }

        ModelConfiguration plain = parts.Configuration with { Quantization = null };
        SyntheticSource full = new(known.Description, known.Seed, TensorCatalog.For(plain));
        return OfGroup(parts, group, matrix => matrix is Float8BlockMatrix
            && full.TryGetTensor(matrix.Name, out TensorInfo? tensor)
                ? new SourceMatrix(full, tensor, parts.RoundWeights)
                : matrix);
    }

    private static ModelParts Operands(
        ModelParts parts, Func<WeightMatrix, bool> which, bool router, bool experts, Func<float, float> round)
    {
        Dictionary<WeightMatrix, WeightMatrix> rounded = [];
        WeightMatrix Of(WeightMatrix matrix) => rounded.TryGetValue(matrix, out WeightMatrix? there)
            ? there
            : rounded[matrix] = matrix.Map((_, _, value) => round(value));
        HostTensor<float> Operand(HostTensor<float> x) => x.Map((value, _) => round(value));
        return parts.Hook((o, w) => new HookedOperators(o, w)
        {
            Product = (ops, x, weight, bias) => which(weight)
                ? ops.LinearProjection(Operand(x), Of(weight), bias)
                : ops.LinearProjection(x, weight, bias),
            Logits = (ops, x, gate) => router ? ops.RouterLogits(Operand(x), Of(gate)) : ops.RouterLogits(x, gate),
            Experts = (ops, x, decision, sparse) => !experts ? ops.RoutedExperts(x, decision, sparse)
                : Tensors.ForEachExpert(x, decision, (rows, _, index) =>
                {
                    ExpertWeights expert = sparse.Expert(index);
                    HostTensor<float> inner = ops.SwiGlu(
                        ops.LinearProjection(Operand(rows), Of(expert.Gate), []),
                        ops.LinearProjection(Operand(rows), Of(expert.Up), []));
                    return ops.LinearProjection(Operand(inner), Of(expert.Down), []);
                }),
        });
    }

    private static ModelParts Rounded(ModelParts parts) => parts.Hook((o, w) => new HookedOperators(o, w)
    {
        Product = (ops, x, weight, bias) => ops.LinearProjection(x, weight, bias).ToBFloat16(),
        Logits = (ops, x, gate) => ops.RouterLogits(x, gate).ToBFloat16(),
    });

    private static float ToTf32(float value)
    {
        // 13 bits of fraction go; nearest, ties to even.
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return BitConverter.UInt32BitsToSingle((bits + 0x0FFF + ((bits >> 13) & 1)) & 0xFFFFE000);
    }

    private static HostTensor<float> OneRounding(ForwardOperators<float> operators, NormCall call)
    {
        Func<float, float> round = operators.Rounding();
        HostTensor<float> y = call.X.Zeros();
        for (int row = 0; row < y.Rows; row++)
        {
            Span<float> x = call.X.Row(row);
            double square = 0;
            foreach (float value in x)
            {
                square += (double)value * value;
            }

            float scale = 1 / MathF.Sqrt((float)(square / x.Length) + call.Epsilon);
            for (int d = 0; d < x.Length; d++)
            {
                y.Row(row)[d] = round(x[d] * scale * call.Weight[d]);
            }
        }

        return y;
    }

    private static ModelParts AttentionInFloat32(ModelParts parts)
    {
        Func<float, float> round = parts.Operators.Rounding();
        return parts.Hook((o, w) => new HookedOperators(o, w)
        {
            Attention = (_, call) =>
            {
                HostTensor<float> context = new(
                    call.Shape.Batch, call.Shape.QueryTokens, call.Shape.Heads * call.Shape.HeadDim);
                using WorkerPool workers = new(1);
                CausalAttention.Apply<Float32Precision>(
                    ExecutionEngine.Vector512,
                    workers,
                    call.Shape,
                    call.Query.Values,
                    call.Keys.Values,
                    call.Values.Values,
                    call.Visible,
                    context.Values,
                    []);
                return context.Map((value, _) => round(value));
            },
        });
    }
}
