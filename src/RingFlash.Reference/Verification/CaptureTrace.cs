using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Model;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Verification;

/// <summary>
/// Keeps, of a forward pass, what a case of real weights holds: what goes into and comes out of chosen layers, their
/// router decisions, and the logits.
/// </summary>
internal sealed class CaptureTrace : ForwardTrace<float>
{
    /// <summary>Whole logits are kept up to this many values; above, the shorter forms of the golden format.</summary>
    private const int MostLogits = 1 << 22;

    private const int FirstLogits = 4096;
    private const int BestLogits = 64;

    private readonly HashSet<string> wanted = new(StringComparer.Ordinal);
    private readonly bool underBFloat16;
    private readonly bool keepsLogits = true;
    private readonly bool keepsMargins = true;
    private readonly Action<string> onTap;

    /// <summary>Decides what is kept.</summary>
    /// <param name="options">The capture.</param>
    /// <param name="onTap">Told the name of every tap.</param>
    public CaptureTrace(CaptureOptions options, Action<string> onTap)
    {
        this.onTap = onTap;
        underBFloat16 = options.BFloat16;
        int mainLayers = options.Configuration.LayerCount;
        int layers = mainLayers + options.Configuration.NextTokenPredictionLayerCount;
        foreach (int layer in options.Layers ?? Enumerable.Range(0, layers).ToHashSet())
        {
            string input = layer == 0
                ? "model.word_embeddings.output"
                : string.Create(CultureInfo.InvariantCulture, $"model.layers.{layer - 1}.output");
            wanted.Add(layer < mainLayers ? input : "mtp.0.word_embeddings.output");
            string name = string.Create(CultureInfo.InvariantCulture, $"model.layers.{layer}");
            string gate = $"{name}.mlp.gate";
            wanted.UnionWith([$"{name}.output", gate, $"{gate}.logits", $"{gate}.scores"]);
            if (options.Taps is not null)
            {
                wanted.UnionWith([$"{name}.attention.dense.output", $"{name}.mlp.output"]);
                wanted.ExceptWith([$"{gate}.logits", $"{gate}.scores"]);
            }
        }

        wanted.Add("model.norm.output");
        if (options.Taps is { } kinds)
        {
            wanted.Add("model.word_embeddings.output");
            wanted.RemoveWhere(name => !kinds.Contains(KindOf(name)));
            keepsLogits = kinds.Contains("logits");
            keepsMargins = false;
        }
    }

    /// <summary>What was kept, ready to be written.</summary>
    public List<SafetensorsContent> Contents { get; } = [];

    /// <inheritdoc/>
    public override bool Wants(string name) => wanted.Contains(name);

    /// <inheritdoc/>
    public override void Tap(string name, HostTensor<float> tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        onTap(name);
        if (name is "lm_head.output" or "mtp.0.logits")
        {
            if (keepsLogits)
            {
                KeepLogits(name, tensor);
            }
        }
        else if (wanted.Contains(name))
        {
            // The router computes in float32 whatever the model does.
            Keep(name, tensor, underBFloat16 && !name.Contains(".mlp.gate.", StringComparison.Ordinal));
        }
    }

    /// <inheritdoc/>
    public override void TapDecision(string name, RouterDecision<float> decision)
    {
        onTap(name);
        if (wanted.Contains(name))
        {
            long[] shape = [decision.TopKWeights.Rows, decision.TopK];
            Contents.Add(SafetensorsContent.FromInt64(
                $"{name}.topk_idx", shape, Array.ConvertAll(decision.TopKIndices, index => (long)index)));
            Keep($"{name}.topk_weight", decision.TopKWeights, asBFloat16: false);
            if (keepsMargins)
            {
                Keep($"{name}.margin", decision.Margins, asBFloat16: false);
            }
        }
    }

    private static string KindOf(string name) =>
        name.EndsWith(".word_embeddings.output", StringComparison.Ordinal) ? "embedding"
        : name.EndsWith(".attention.dense.output", StringComparison.Ordinal) ? "attention"
        : name.EndsWith(".gate", StringComparison.Ordinal) ? "router"
        : name.EndsWith(".mlp.output", StringComparison.Ordinal) ? "mlp"
        : name == "model.norm.output" ? "norm"
        : "layers";

    private static long[] Shape(HostTensor<float> tensor) => [.. tensor.Shape.ToArray().Select(axis => (long)axis)];

    // A copy: buffers of the pass may be used again.
    private void Keep(string name, HostTensor<float> tensor, bool asBFloat16)
    {
        float[] values = [.. tensor.Values];
        SafetensorsContent content = SafetensorsContent.FromSingle(name, Shape(tensor), values);
        if (asBFloat16)
        {
            ushort[] bits = new ushort[values.Length];
            BFloat16.FromSingle(values, bits);
            byte[] bytes = System.Runtime.InteropServices.MemoryMarshal.AsBytes(bits.AsSpan()).ToArray();
            TensorInfo stored = content.Tensor with { ElementType = ElementType.BFloat16 };
            content = SafetensorsContent.FromBytes(stored, bytes);
        }

        Contents.Add(content);
    }

    private void KeepLogits(string name, HostTensor<float> logits)
    {
        if (logits.Values.Length <= MostLogits)
        {
            Keep(name, logits, underBFloat16 && name == "lm_head.output");
            return;
        }

        string prefix = name[..name.LastIndexOf('.')];
        long batch = logits.Shape[0], tokens = logits.Shape[1];
        int first = Math.Min(FirstLogits, logits.Width), best = Math.Min(BestLogits, logits.Width);
        float[] firstValues = new float[logits.Rows * first], bestValues = new float[logits.Rows * best];
        long[] bestIds = new long[logits.Rows * best], largest = new long[logits.Rows];
        float[] logSums = new float[logits.Rows];
        for (int row = 0; row < logits.Rows; row++)
        {
            Span<float> values = logits.Row(row);
            values[..first].CopyTo(firstValues.AsSpan(row * first));
            logSums[row] = (float)LogSumExp(values);
            int[] ids = LogitsComparison.Best(values.ToArray(), best);
            largest[row] = ids[0];
            for (int rank = 0; rank < best; rank++)
            {
                bestIds[(row * best) + rank] = ids[rank];
                bestValues[(row * best) + rank] = values[ids[rank]];
            }
        }

        string top = string.Create(CultureInfo.InvariantCulture, $"{prefix}.top{best}");
        Contents.Add(SafetensorsContent.FromSingle(
            string.Create(CultureInfo.InvariantCulture, $"{prefix}.logits_first{first}"),
            [batch, tokens, first],
            firstValues));
        Contents.Add(SafetensorsContent.FromSingle($"{prefix}.logsumexp", [batch, tokens], logSums));
        Contents.Add(SafetensorsContent.FromInt64($"{prefix}.argmax", [batch, tokens], largest));
        Contents.Add(SafetensorsContent.FromInt64($"{top}.ids", [batch, tokens, best], bestIds));
        Contents.Add(SafetensorsContent.FromSingle($"{top}.values", [batch, tokens, best], bestValues));
    }

    // In float64 over the float32 logits, as the golden cases have it.
    private static double LogSumExp(ReadOnlySpan<float> values)
    {
        double maximum = double.NegativeInfinity, sum = 0;
        foreach (float value in values)
        {
            maximum = Math.Max(maximum, value);
        }

        foreach (float value in values)
        {
            sum += Math.Exp(value - maximum);
        }

        return maximum + Math.Log(sum);
    }
}
