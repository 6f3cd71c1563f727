using System;
using System.Runtime.Intrinsics;
using System.Threading;
using System.Threading.Tasks;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Comparison;

/// <summary>
/// Two stored runs side by side, piece by piece: nothing is computed, and memory does not grow with the dumps. What is
/// read next is read while a piece is compared.
/// </summary>
internal static class StreamedDrift
{
    private const int Piece = 1 << 20;

    /// <summary>Compares one tap.</summary>
    /// <param name="theirs">The candidate's.</param>
    /// <param name="ours">The stored reference's, of the same axes.</param>
    /// <param name="cancellation">Stops between pieces.</param>
    /// <returns>The distance; its ulps are those of the worst element.</returns>
    public static TapDistance Compare(CandidateTap theirs, CandidateTap ours, CancellationToken cancellation)
    {
        long count = ours.ElementCount;
        int length = (int)Math.Min(Piece, count);
        float[][] a = [new float[length], new float[length]], b = [new float[length], new float[length]];
        Totals totals = default;
        Task next = Read(0, 0);
        for (long first = 0; first < count; first += Piece)
        {
            cancellation.ThrowIfCancellationRequested();
            next.GetAwaiter().GetResult();
            int side = (int)(first / Piece % 2), here = (int)Math.Min(Piece, count - first);
            next = first + Piece < count ? Read(first + Piece, 1 - side) : Task.CompletedTask;
            totals.Add(a[side].AsSpan(0, here), b[side].AsSpan(0, here));
        }

        bool isBFloat16 = theirs.ElementType == ElementType.BFloat16;
        double norm = Math.Sqrt(totals.Squares), error = Math.Sqrt(totals.Errors);
        bool isFinite = double.IsFinite(totals.Errors);
        return new TapDistance(
            count,
            totals.Errors == 0 ? 0 : error / norm,
            isFinite ? totals.Largest : double.NaN,
            totals.Largest == 0 ? 0 : totals.Largest / totals.LargestReference,
            totals.Errors == 0 ? 1 : totals.Products / Math.Sqrt(totals.Squares * totals.CandidateSquares),
            !isFinite ? long.MaxValue
                : isBFloat16 ? UlpDistance.BetweenBFloat16(totals.Worst.Theirs, BFloat16.Round(totals.Worst.Ours))
                : UlpDistance.Between(totals.Worst.Theirs, totals.Worst.Ours));

        Task Read(long first, int side)
        {
            int wanted = (int)Math.Min(Piece, count - first);
            Task one = Task.Run(() => theirs.ReadSingle(first, a[side].AsSpan(0, wanted)), cancellation);
            Task other = Task.Run(() => ours.ReadSingle(first, b[side].AsSpan(0, wanted)), cancellation);
            return Task.WhenAll(one, other);
        }
    }

    private struct Totals
    {
        public double Errors;
        public double Squares;
        public double CandidateSquares;
        public double Products;
        public double Largest;
        public double LargestReference;
        public (float Theirs, float Ours) Worst;

        /// <summary>Adds a piece, in float64.</summary>
        public void Add(ReadOnlySpan<float> theirs, ReadOnlySpan<float> ours)
        {
            Vector512<double> errors = default, squares = default, own = default, products = default;
            Vector512<float> largest = default, largestOurs = default;
            int index = 0;
            for (; index + Vector512<float>.Count <= theirs.Length; index += Vector512<float>.Count)
            {
                Vector512<float> x = Vector512.Create(theirs[index..]), y = Vector512.Create(ours[index..]);
                largest = Vector512.Max(largest, Vector512.Abs(x - y));
                largestOurs = Vector512.Max(largestOurs, Vector512.Abs(y));
                (Vector512<double> x0, Vector512<double> x1) = Vector512.Widen(x);
                (Vector512<double> y0, Vector512<double> y1) = Vector512.Widen(y);
                errors += ((x0 - y0) * (x0 - y0)) + ((x1 - y1) * (x1 - y1));
                squares += (y0 * y0) + (y1 * y1);
                own += (x0 * x0) + (x1 * x1);
                products += (x0 * y0) + (x1 * y1);
            }

            Errors += Vector512.Sum(errors);
            Squares += Vector512.Sum(squares);
            CandidateSquares += Vector512.Sum(own);
            Products += Vector512.Sum(products);
            double piece = MaxOf(largest);
            LargestReference = Math.Max(LargestReference, MaxOf(largestOurs));
            for (; index < theirs.Length; index++)
            {
                double difference = (double)theirs[index] - ours[index];
                Errors += difference * difference;
                Squares += (double)ours[index] * ours[index];
                CandidateSquares += (double)theirs[index] * theirs[index];
                Products += (double)theirs[index] * ours[index];
                piece = Math.Max(piece, Math.Abs(difference));
                LargestReference = Math.Max(LargestReference, Math.Abs((double)ours[index]));
            }

            if (piece > Largest)
            {
                Largest = piece;
                Worst = Find(theirs, ours);
            }
        }

        private static double MaxOf(Vector512<float> values)
        {
            float largest = 0;
            for (int lane = 0; lane < Vector512<float>.Count; lane++)
            {
                largest = MathF.Max(largest, values[lane]);
            }

            return largest;
        }

        private static (float Theirs, float Ours) Find(ReadOnlySpan<float> theirs, ReadOnlySpan<float> ours)
        {
            int worst = 0;
            float largest = -1;
            for (int index = 0; index < theirs.Length; index++)
            {
                float difference = MathF.Abs(theirs[index] - ours[index]);
                (worst, largest) = difference > largest ? (index, difference) : (worst, largest);
            }

            return (theirs[worst], ours[worst]);
        }
    }
}
