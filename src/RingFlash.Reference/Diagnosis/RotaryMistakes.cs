using System;
using System.Collections.Generic;
using System.Linq;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;
using RingFlash.Reference.Operators;

namespace RingFlash.Reference.Diagnosis;

/// <summary>Mistakes in the rotary position embedding.</summary>
internal static class RotaryMistakes
{
    /// <summary>The mistakes.</summary>
    public static IEnumerable<Mistake> All =>
    [
        new(
            "rotary.interleaved",
            "rotary pairs interleaved instead of half-split",
            ModelBlocks.Attention,
            "rotates channels (2i, 2i+1)",
            "rotates channels (i, i + R/2), R = 64",
            "Automodel#2039; GPT-J style rotation; Transformers' own interleaved layouts")
        {
            Variants =
            [
                Rotated("pair i turns by frequency i", Interleaved),
                Rotated("pair i turns by the half-split table's entries 2i and 2i+1", InterleavedWithHalfTables),
            ],
        },
        new(
            "rotary.whole-head",
            "rotation of the whole head instead of its first half",
            ModelBlocks.Attention,
            "rotates all headDim channels",
            "rotates the first headDim · partial_rotary_factor channels, the others pass",
            "vllm#43770; partial_rotary_factor missing or ignored")
        {
            Variants =
            [
                Configured("R = headDim", (rotary, head) => rotary with { RotaryDimension = head }),
                Rotated("the table of R channels repeated", WholeHeadTiled),
                Rotated("each R channels rotated on their own", EachPartRotated),
            ],
        },
        new(
            "rotary.width",
            "another number of rotated channels",
            ModelBlocks.Attention,
            "R = headDim · factor², or another part of the head",
            "R = headDim · partial_rotary_factor",
            "vLLM at 3a04cf8 multiplies rotary_dim by the factor")
        {
            Variants =
            [
                Configured("R/2", (rotary, _) => rotary with { RotaryDimension = rotary.RotaryDimension / 4 * 2 }),
                Configured("R/4", (rotary, _) => rotary with { RotaryDimension = rotary.RotaryDimension / 8 * 2 }),
                Configured(
                    "3/4 of the head", (rotary, head) => rotary with { RotaryDimension = head * 3 / 8 * 2 }),
            ],
        },
        new(
            "rotary.last-channels",
            "the last channels of a head rotated instead of the first",
            ModelBlocks.Attention,
            "x[headDim − R …] rotates",
            "x[0 … R) rotates",
            "layouts with the position-free part first (DeepSeek's nope | rope)")
        {
            Variants = [Rotated(string.Empty, LastChannels)],
        },
        new(
            "rotary.pairs-across-head",
            "rotary pairs taken half a head apart",
            ModelBlocks.Attention,
            "rotates channels (i, i + headDim/2), i < R/2",
            "rotates channels (i, i + R/2)",
            "rotate_half over the head, tables for its first half")
        {
            Variants = [Rotated(string.Empty, PairsAcrossHead)],
        },
        new(
            "rotary.sign",
            "rotation in the other direction",
            ModelBlocks.Attention,
            "x·cos − rotate_half(x)·sin",
            "x·cos + rotate_half(x)·sin",
            string.Empty)
        {
            Variants =
            [
                Rotated("queries and keys", (o, c) => o.RotaryEmbedding(c.X, c.Cosine, Negative(c.Sine))),
                Rotated("queries only", (o, c) => o.RotaryEmbedding(
                    c.X, c.Cosine, c.Place == Place.Query ? Negative(c.Sine) : c.Sine)),
                Rotated("keys only", (o, c) => o.RotaryEmbedding(
                    c.X, c.Cosine, c.Place == Place.Key ? Negative(c.Sine) : c.Sine)),
            ],
        },
        new(
            "rotary.missing",
            "no rotation",
            ModelBlocks.Attention,
            "q and k as they are",
            "q and k rotated by their positions",
            string.Empty)
        {
            Variants =
            [
                Rotated("neither queries nor keys", (_, c) => c.X),
                Rotated("queries not", (o, c) =>
                    c.Place == Place.Query ? c.X : o.RotaryEmbedding(c.X, c.Cosine, c.Sine)),
                Rotated("keys not", (o, c) => c.Place == Place.Key ? c.X : o.RotaryEmbedding(c.X, c.Cosine, c.Sine)),
            ],
        },
        new(
            "rotary.theta",
            "another rope_theta",
            ModelBlocks.Attention,
            "1 / θ'^(2i/R)",
            "1 / θ^(2i/R), θ = rope_theta of the configuration (600000)",
            "class defaults; 4K pre-training used 10000")
        {
            Variants = [.. new[] { 1e4, 6e5, 1e5, 5e5, 1e6, 6e4, 6e6, 5e6, 1e7, 1.6e5 }.Select(theta => Configured(
                FormattableString.Invariant($"θ = {theta:G7}"), (rotary, _) => rotary with { Theta = theta }))],
        },
        new(
            "rotary.frequency-width",
            "frequencies spread over the whole head",
            ModelBlocks.Attention,
            "1 / θ^(2i/headDim), R channels rotate",
            "1 / θ^(2i/R)",
            "ports that keep headDim in the exponent")
        {
            Variants = [new(string.Empty, FrequenciesOfWholeHead)],
        },
        new(
            "rotary.position",
            "positions off by one",
            ModelBlocks.Attention,
            "queries and keys turned by other positions",
            "position p turns query and key alike",
            "off-by-one positions; a shift of both alike changes nothing that attention sees")
        {
            Variants =
            [
                Shifted("queries one ahead", 1, 0),
                Shifted("queries one behind", -1, 0),
                Shifted("all one ahead", 1, 1),
                Shifted("all one behind, the first at 0", -1, -1),
                Positions("all 0", (_, _) => 0),
                Positions("counted from the end", (position, tokens) => tokens - 1 - position),
                Positions("doubled", (position, _) => 2 * position),
            ],
        },
        new(
            "rotary.yarn-missing",
            "YaRN left out",
            ModelBlocks.Attention,
            "plain frequencies and no attention factor",
            "frequencies and factor of rope_scaling",
            "transformers' middle versions compute factor 1")
        {
            Variants =
            [
                Scaled("no scaling at all", rotary => rotary with { Scaling = RotaryScalingKind.Default }),
                Scaled("attention factor left out", rotary => rotary with { AttentionFactor = 1 }),
                Scaled("original length taken for the new one", rotary => rotary with
                {
                    OriginalMaxPositionEmbeddings = (int)(rotary.OriginalMaxPositionEmbeddings! * rotary.Factor),
                }),
                Scaled("linear interpolation, factor kept", rotary => rotary with { BetaFast = 1e30, BetaSlow = 1e29 }),
                Scaled("attention factor squared", rotary => rotary with
                {
                    AttentionFactor = Math.Pow((0.1 * Math.Log(rotary.Factor)) + 1, 2),
                }),
                new("plain frequencies, attention factor kept", parts =>
                    parts.Configuration.Rotary.Scaling == RotaryScalingKind.Default ? parts : parts.Hook(
                        (o, w) => new HookedOperators(o, w)
                        {
                            Tables = (ops, table, positions, batch) =>
                            {
                                RotaryTable plain = RotaryTable.For(
                                    parts.Configuration.Rotary with { Scaling = RotaryScalingKind.Default });
                                (HostTensor<float> cosine, HostTensor<float> sine) =
                                    ops.RotaryTables(plain, positions, batch);
                                float factor = (float)table.AttentionScaling;
                                return (cosine.Scale(ops, factor), sine.Scale(ops, factor));
                            },
                        })),
            ],
        },
        new(
            "rotary.scaling-added",
            "rotary scaling that the configuration does not ask for",
            ModelBlocks.Attention,
            "positions divided, or YaRN",
            "plain frequencies: rope_scaling is null",
            "servers started with a YaRN override")
        {
            Variants =
            [
                .. new[] { 2, 4 }.Select(factor => Configured(
                    FormattableString.Invariant($"YaRN, factor {factor}, original length 32768"),
                    (rotary, _) => rotary.Scaling != RotaryScalingKind.Default ? rotary : rotary with
                    {
                        Scaling = RotaryScalingKind.Yarn, Factor = factor, OriginalMaxPositionEmbeddings = 32768,
                    })),
                .. new[] { 2, 4, 8 }.Select(factor => Angles(
                    FormattableString.Invariant($"linear, factor {factor}"), frequency => frequency / factor)),
            ],
        },
        new(
            "rotary.frequency-bfloat16",
            "frequencies rounded to bfloat16",
            ModelBlocks.Attention,
            "inv_freq = bf16(1 / θ^(2i/R))",
            "inv_freq in float32",
            "model.to(bfloat16) rounds the buffer")
        {
            Variants = [Angles(string.Empty, BFloat16.Round)],
        },
        new(
            "rotary.table-bfloat16",
            "cosines and sines rounded to bfloat16 in a float32 run",
            ModelBlocks.Attention,
            "cos, sin in bf16",
            "cos, sin in the type of the activations",
            "SGLang outside of CUDA keeps them in the model's type")
        {
            Variants = [Tabled(string.Empty, (cosine, sine) => (cosine.ToBFloat16(), sine.ToBFloat16()))],
        },
        new(
            "rotary.values",
            "values rotated too",
            ModelBlocks.Attention,
            "v rotated like k",
            "v untouched",
            string.Empty)
        {
            Variants = [new(string.Empty, RotatedValues)],
        },
    ];

    private readonly record struct Table(HostTensor<float> Cosine, HostTensor<float> Sine);

    private static MistakeVariant Configured(
        string value, Func<RotaryConfiguration, int, RotaryConfiguration> change) =>
        new(value, parts => parts with
        {
            Configuration = parts.Configuration with
            {
                Rotary = change(parts.Configuration.Rotary, parts.Configuration.HeadDimension),
            },
        });

    private static MistakeVariant Scaled(string value, Func<RotaryConfiguration, RotaryConfiguration> change) =>
        Configured(value, (rotary, _) => rotary.Scaling == RotaryScalingKind.Default ? rotary : change(rotary));

    private static MistakeVariant Rotated(
        string value, Func<ForwardOperators<float>, RotaryCall, HostTensor<float>> rotate) =>
        new(value, parts => parts.Hook((o, w) => new HookedOperators(o, w) { Rotary = rotate }));

    private static MistakeVariant Tabled(
        string value,
        Func<HostTensor<float>, HostTensor<float>, (HostTensor<float>, HostTensor<float>)> change) =>
        new(value, parts => parts.Hook((o, w) => new HookedOperators(o, w)
        {
            Tables = (ops, table, positions, batch) =>
            {
                (HostTensor<float> cosine, HostTensor<float> sine) = ops.RotaryTables(table, positions, batch);
                return change(cosine, sine);
            },
        }));

    private static MistakeVariant Positions(string value, Func<long, int, long> change) =>
        new(value, parts => parts.Hook((o, w) => new HookedOperators(o, w)
        {
            Tables = (ops, table, positions, batch) => ops.RotaryTables(
                table,
                Array.ConvertAll(positions, position => change(position, positions.Length / batch)),
                batch),
        }));

    // The tables of the other positions are made beside the right ones, which arrive with every call.
    private static MistakeVariant Shifted(string value, int query, int key) =>
        new(value, parts =>
        {
            Dictionary<Place, Table> tables = [];
            return parts.Hook((o, w) => new HookedOperators(o, w)
            {
                Tables = (ops, table, positions, batch) =>
                {
                    foreach ((Place place, int shift) in new[] { (Place.Query, query), (Place.Key, key) })
                    {
                        (HostTensor<float> cosine, HostTensor<float> sine) = ops.RotaryTables(
                            table, Array.ConvertAll(positions, position => Math.Max(0, position + shift)), batch);
                        tables[place] = new Table(cosine, sine);
                    }

                    return ops.RotaryTables(table, positions, batch);
                },
                Rotary = (ops, call) => tables.TryGetValue(call.Place, out Table made)
                    ? ops.RotaryEmbedding(call.X, made.Cosine, made.Sine)
                    : ops.RotaryEmbedding(call.X, call.Cosine, call.Sine), // tables that another mistake made
            });
        });

    // Other frequencies under the same positions: the angle is one float32 product, as published.
    private static MistakeVariant Angles(string value, Func<float, float> change) =>
        new(value, parts => parts.Hook((o, w) => new HookedOperators(o, w)
        {
            Tables = (ops, table, positions, batch) =>
            {
                float[] frequencies = Array.ConvertAll(table.InverseFrequencies, frequency => change(frequency));
                return Tables(ops, frequencies, (float)table.AttentionScaling, positions, batch);
            },
        }));

    private static (HostTensor<float> Cosine, HostTensor<float> Sine) Tables(
        ForwardOperators<float> operators, float[] frequencies, float scaling, long[] positions, int batch)
    {
        Func<float, float> round = operators.Rounding();
        HostTensor<float> cosine = new(batch, positions.Length / batch, 2 * frequencies.Length);
        HostTensor<float> sine = cosine.Zeros();
        for (int row = 0; row < positions.Length; row++)
        {
            for (int d = 0; d < cosine.Width; d++)
            {
                (double sin, double cos) = Math.SinCos(positions[row] * frequencies[d % frequencies.Length]);
                cosine.Row(row)[d] = round((float)cos * scaling);
                sine.Row(row)[d] = round((float)sin * scaling);
            }
        }

        return (cosine, sine);
    }

    private static ModelParts FrequenciesOfWholeHead(ModelParts parts)
    {
        RotaryConfiguration rotary = parts.Configuration.Rotary;
        int pairs = rotary.RotaryDimension / 2;
        float[] wide = RotaryTable.For(rotary with { RotaryDimension = parts.Configuration.HeadDimension })
            .InverseFrequencies[..pairs];
        return parts.Hook((o, w) => new HookedOperators(o, w)
        {
            Tables = (ops, table, positions, batch) =>
                Tables(ops, wide, (float)table.AttentionScaling, positions, batch),
        });
    }

    private static HostTensor<float> Interleaved(ForwardOperators<float> operators, RotaryCall call)
    {
        int width = call.Cosine.Width;
        int[] apart = Order(call.X.Width, d => d >= width ? d : d < width / 2 ? 2 * d : (2 * (d - (width / 2))) + 1);
        int[] together = Order(call.X.Width, d => d >= width ? d : (d / 2) + (d % 2 * (width / 2)));
        return operators.RotaryEmbedding(call.X.Permute(apart), call.Cosine, call.Sine).Permute(together);
    }

    private static HostTensor<float> InterleavedWithHalfTables(ForwardOperators<float> operators, RotaryCall call)
    {
        // x·cos + rotate_every_two(x)·sin with cos = [c₀ … c₃₁, c₀ … c₃₁].
        int width = call.Cosine.Width;
        Func<float, float> round = operators.Rounding();
        return call.X.Map((value, index) =>
        {
            int d = index % call.X.Width, row = index / call.X.Width;
            if (d >= width)
            {
                return value;
            }

            int table = TableRow(call, row);
            float other = d % 2 == 0 ? -call.X.Row(row)[d + 1] : call.X.Row(row)[d - 1];
            return round(round(value * call.Cosine.Row(table)[d]) + round(other * call.Sine.Row(table)[d]));
        });
    }

    private static HostTensor<float> WholeHeadTiled(ForwardOperators<float> operators, RotaryCall call) =>
        call.X.Width % call.Cosine.Width != 0 ? operators.RotaryEmbedding(call.X, call.Cosine, call.Sine)
            : operators.RotaryEmbedding(call.X, Tiled(call.Cosine, call.X.Width), Tiled(call.Sine, call.X.Width));

    private static HostTensor<float> EachPartRotated(ForwardOperators<float> operators, RotaryCall call)
    {
        HostTensor<float> y = call.X;
        int width = call.Cosine.Width;
        for (int part = 0; part < call.X.Width / width; part++)
        {
            int[] forth = Order(y.Width, d => (d + (part * width)) % y.Width);
            int[] back = Order(y.Width, d => (d + y.Width - (part * width)) % y.Width);
            y = operators.RotaryEmbedding(y.Permute(forth), call.Cosine, call.Sine).Permute(back);
        }

        return y;
    }

    private static HostTensor<float> LastChannels(ForwardOperators<float> operators, RotaryCall call)
    {
        int head = call.X.Width, rest = head - call.Cosine.Width;
        return operators.RotaryEmbedding(
            call.X.Permute(Order(head, d => (d + rest) % head)), call.Cosine, call.Sine)
            .Permute(Order(head, d => (d + head - rest) % head));
    }

    private static HostTensor<float> PairsAcrossHead(ForwardOperators<float> operators, RotaryCall call)
    {
        // Channels [R/2, R) and [headDim/2, headDim/2 + R/2) change places, before and after.
        int head = call.X.Width, pairs = call.Cosine.Width / 2;
        int[] exchange = Order(head, d => d >= pairs && d < 2 * pairs && head >= 4 * pairs ? d - pairs + (head / 2)
            : d >= head / 2 && d < (head / 2) + pairs && head >= 4 * pairs ? d - (head / 2) + pairs
            : d);
        return operators.RotaryEmbedding(call.X.Permute(exchange), call.Cosine, call.Sine).Permute(exchange);
    }

    private static ModelParts RotatedValues(ModelParts parts)
    {
        RotaryCall last = default;
        return parts.Hook((o, w) => new HookedOperators(o, w)
        {
            Rotary = (ops, call) =>
            {
                last = call;
                return ops.RotaryEmbedding(call.X, call.Cosine, call.Sine);
            },
            Attention = (ops, call) => last.Cosine is null
                ? call.On(ops) // nothing is rotated: another mistake
                : (call with { Values = ops.RotaryEmbedding(call.Values, last.Cosine, last.Sine) }).On(ops),
        });
    }

    private static HostTensor<float> Negative(HostTensor<float> x) => x.Map((value, _) => -value);

    private static HostTensor<float> Tiled(HostTensor<float> table, int width)
    {
        HostTensor<float> wide = new(table.Shape[0], table.Shape[1], width);
        return wide.Map((_, index) => table.Row(index / width)[index % width % table.Width]);
    }

    private static int TableRow(RotaryCall call, int row)
    {
        int tokens = call.X.Shape[2];
        return (row / (call.X.Shape[1] * tokens) * tokens) + (row % tokens);
    }

    private static int[] Order(int width, Func<int, int> source) => [.. Enumerable.Range(0, width).Select(source)];
}
