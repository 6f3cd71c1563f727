using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Threading;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Comparison;

/// <summary>
/// Compares weights that a candidate dumped with the checkpoint's: equal, transposed, rounded, missing or other. A
/// weight is read once, in pieces.
/// </summary>
internal static class WeightAudit
{
    private const int Piece = 1 << 16, Probes = 1 << 12, Shown = 4;

    // e4m3 has 3 fraction bits: a normal code is within 2⁻⁴ of the value; below its normal numbers, within half of its
    // smallest step, 2⁻¹⁰, in units of the scale, which is at most amax/448 rounded up to a power of two.
    private const double Float8Relative = 1.0 / 16, Float8Absolute = 2.0 / 448 / 1024;

    /// <summary>Compares all.</summary>
    /// <param name="weights">The candidate's, by checkpoint name.</param>
    /// <param name="source">The checkpoint.</param>
    /// <param name="configuration">The model.</param>
    /// <param name="cancellation">Stops between pieces.</param>
    /// <returns>The findings, in the checkpoint's order; empty when the dump holds no weights.</returns>
    public static IReadOnlyList<WeightFinding> Of(
        IReadOnlyDictionary<string, CandidateTap> weights,
        IWeightSource source,
        ModelConfiguration configuration,
        CancellationToken cancellation)
    {
        if (weights.Count == 0)
        {
            return [];
        }

        List<WeightFinding> findings = [];
        HashSet<string> kinds = [.. weights.Keys.Select(Kind)];
        foreach (TensorInfo info in TensorCatalog.For(configuration))
        {
            cancellation.ThrowIfCancellationRequested();
            if (!source.TryGetTensor(info.Name, out TensorInfo? tensor))
            {
                continue;
            }

            if (weights.TryGetValue(info.Name, out CandidateTap? theirs))
            {
                findings.Add(Compare(theirs, source, tensor, cancellation));
            }
            else if (kinds.Contains(Kind(info.Name)))
            {
                findings.Add(new WeightFinding(
                    info.Name,
                    string.Empty,
                    WeightState.Missing,
                    double.NaN,
                    double.NaN,
                    string.Empty,
                    string.Empty,
                    string.Empty,
                    double.NaN));
            }
        }

        return findings;
    }

    // A name without its numbers: weights of one kind in all layers and experts.
    private static string Kind(string name) => string.Concat(name.Where(character => !char.IsAsciiDigit(character)));

    private static WeightFinding Compare(
        CandidateTap theirs, IWeightSource source, TensorInfo tensor, CancellationToken cancellation)
    {
        bool sameShape = theirs.Shape.SequenceEqual(tensor.Shape);
        bool exchanged = theirs.Shape.Count == 2 && tensor.Shape.Count == 2
            && theirs.Shape[0] == tensor.Shape[1] && theirs.Shape[1] == tensor.Shape[0];
        Totals totals = new(theirs, source, tensor, sameShape, cancellation);
        WeightState state = totals.State;
        bool isOther = state is WeightState.Other or WeightState.OtherShape;
        if (exchanged && isOther && IsTransposed(theirs, source, tensor))
        {
            state = WeightState.Transposed;
        }

        return new WeightFinding(
            tensor.Name,
            theirs.Source,
            state,
            totals.Norm,
            totals.ReferenceNorm,
            totals.Sha256,
            totals.ReferenceSha256,
            totals.FirstValues,
            totals.RelativeError);
    }

    // Values at places spread over the matrix are those of the exchanged places, as they are or rounded to bfloat16.
    private static bool IsTransposed(CandidateTap theirs, IWeightSource source, TensorInfo tensor)
    {
        long rows = tensor.Shape[0], columns = tensor.Shape[1], count = rows * columns;
        long step = Math.Max(1, (count / Probes) | 1);
        Span<float> one = stackalloc float[1], other = stackalloc float[1];
        bool any = false;
        for (long index = 0; index < count; index += step)
        {
            (long row, long column) = Math.DivRem(index, columns);
            source.Read(tensor, index, one);
            theirs.ReadSingle((column * rows) + row, other);
            if (!other[0].Equals(one[0]) && !other[0].Equals(BFloat16.Round(one[0])))
            {
                return false;
            }

            any |= row != column && one[0] != 0;
        }

        return any;
    }

    private sealed class Totals
    {
        public Totals(
            CandidateTap theirs,
            IWeightSource source,
            TensorInfo tensor,
            bool sameShape,
            CancellationToken cancellation)
        {
            using IncrementalHash ourHash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            using IncrementalHash theirHash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            float[] ours = new float[Piece], values = new float[Piece];
            double largest = 0, squares = 0, ourSquares = 0, difference = 0;
            bool equal = true, rounded = true;
            bool float8 = true;
            long ourCount = tensor.ElementCount, theirCount = theirs.ElementCount;
            for (long first = 0; first < Math.Max(ourCount, theirCount); first += Piece)
            {
                cancellation.ThrowIfCancellationRequested();
                Span<float> our = ours.AsSpan(0, (int)Math.Clamp(ourCount - first, 0, Piece));
                Span<float> their = values.AsSpan(0, (int)Math.Clamp(theirCount - first, 0, Piece));
                source.Read(tensor, first, our);
                theirs.ReadSingle(first, their);
                ourHash.AppendData(MemoryMarshal.AsBytes(our));
                theirHash.AppendData(MemoryMarshal.AsBytes(their));
                if (first == 0)
                {
                    FirstValues = $"{Text(their)}; checkpoint {Text(our)}";
                }

                for (int index = 0; index < our.Length; index++)
                {
                    ourSquares += (double)our[index] * our[index];
                    largest = Math.Max(largest, Math.Abs(our[index]));
                }

                for (int index = 0; index < their.Length; index++)
                {
                    squares += (double)their[index] * their[index];
                }

                for (int index = 0; sameShape && index < our.Length; index++)
                {
                    double error = Math.Abs((double)their[index] - our[index]);
                    difference += error * error;
                    equal &= their[index].Equals(our[index]);
                    rounded &= their[index].Equals(BFloat16.Round(our[index]));
                    if (!(error <= Float8Relative * Math.Abs(our[index])))
                    {
                        float8 &= double.IsFinite(error);
                        Beyond = Math.Max(Beyond, error);
                    }
                }
            }

            Norm = Math.Sqrt(squares);
            ReferenceNorm = Math.Sqrt(ourSquares);
            RelativeError = sameShape ? (difference == 0 ? 0 : Math.Sqrt(difference / ourSquares)) : double.NaN;
            Sha256 = Convert.ToHexStringLower(theirHash.GetHashAndReset());
            ReferenceSha256 = Convert.ToHexStringLower(ourHash.GetHashAndReset());
            State = !sameShape ? WeightState.OtherShape
                : equal ? WeightState.Equal
                : rounded ? WeightState.RoundedToBFloat16
                : float8 && Beyond <= Float8Absolute * largest ? WeightState.RoundedToFloat8
                : WeightState.Other;
        }

        public WeightState State { get; }

        public double Norm { get; }

        public double ReferenceNorm { get; }

        public double RelativeError { get; }

        public string Sha256 { get; }

        public string ReferenceSha256 { get; }

        public string FirstValues { get; } = string.Empty;

        // The largest error of a value that is not within e4m3's relative step.
        private double Beyond { get; }

        private static string Text(ReadOnlySpan<float> values) => string.Join(
            ' ', values[..Math.Min(Shown, values.Length)].ToArray()
                .Select(value => value.ToString("G6", CultureInfo.InvariantCulture)));
    }
}
