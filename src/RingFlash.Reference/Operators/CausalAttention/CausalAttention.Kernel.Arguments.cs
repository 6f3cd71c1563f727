using ILGPU;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Operators;

/// <content>What the kernels of attention work on.</content>
public static partial class CausalAttention
{
    /// <summary>The arrays of one launch, and where things lie in them. A group is the query heads that share a
    /// key/value head; a cache head is a key/value head of a sequence.</summary>
    internal readonly record struct KernelArguments
    {
        /// <summary>[batch, heads, tokens, headDim].</summary>
        public ArrayView<float> Query { get; init; }

        /// <summary>[batch, keyValueHeads, capacity, headDim].</summary>
        public ArrayView<float> Keys { get; init; }

        /// <summary>[batch, keyValueHeads, capacity, headDim].</summary>
        public ArrayView<float> Values { get; init; }

        /// <summary>[batch, past + tokens], or empty.</summary>
        public ArrayView<byte> Visible { get; init; }

        /// <summary>[batch]; used where there is padding.</summary>
        public ArrayView<int> FirstVisible { get; init; }

        /// <summary>[batch, tokens, heads · headDim], written.</summary>
        public ArrayView<float> Context { get; init; }

        /// <summary>[batch, heads, rows, past + tokens]: scores, then weights.</summary>
        public ArrayView<float> Scores { get; init; }

        /// <summary>[batch, heads, rows, blocks, headDim]: sums of blocks, where they are made apart.</summary>
        public ArrayView<float> BlockSums { get; init; }

        /// <summary>The sizes of the call.</summary>
        public AttentionShape Shape { get; init; }

        /// <summary>Query heads per key/value head.</summary>
        public int Group { get; init; }

        /// <summary>The first token of this launch.</summary>
        public int FirstToken { get; init; }

        /// <summary>How many tokens this launch computes.</summary>
        public int Tokens { get; init; }

        /// <summary>Rows of scores per query head.</summary>
        public int RowsOfAHead { get; init; }

        /// <summary>The token of the first of these rows.</summary>
        public int FirstRow { get; init; }

        /// <summary>√headDim.</summary>
        public float Scale { get; init; }

        /// <summary>Key/value heads of all sequences.</summary>
        public int CacheHeads => Shape.Batch * Shape.KeyValueHeads;

        /// <summary>Blocks of 128 keys.</summary>
        public int Blocks => (Shape.KeyTokens + Summation.BlockLength - 1) >> 7;

        /// <summary>Segments of a row that is cut.</summary>
        public int Segments => (Shape.KeyTokens + Segment - 1) >> 8;

        /// <summary>A head of the group; the last one for numbers beyond it.</summary>
        /// <param name="head">A number.</param>
        /// <returns>The head in its group.</returns>
        public int InGroup(int head) => head < Group ? head : Group - 1;

        /// <summary>Where a query begins.</summary>
        /// <param name="cacheHead">The key/value head.</param>
        /// <param name="head">The head in its group.</param>
        /// <param name="token">The token in this launch.</param>
        /// <returns>An index of <see cref="Query"/>.</returns>
        public long QueryRow(int cacheHead, int head, int token) =>
            (((((long)cacheHead * Group) + head) * Shape.QueryTokens) + FirstToken + token) * Shape.HeadDim;

        /// <summary>Where a key or value begins.</summary>
        /// <param name="cacheHead">The key/value head.</param>
        /// <param name="key">The key.</param>
        /// <returns>An index of <see cref="Keys"/> and <see cref="Values"/>.</returns>
        public long CacheRow(int cacheHead, int key) =>
            (((long)cacheHead * Shape.CacheCapacity) + key) * Shape.HeadDim;

        /// <summary>The number of a row of scores.</summary>
        /// <param name="cacheHead">The key/value head.</param>
        /// <param name="head">The head in its group.</param>
        /// <param name="token">The token in this launch.</param>
        /// <returns>The row.</returns>
        public long RowNumber(int cacheHead, int head, int token) =>
            ((((long)cacheHead * Group) + head) * RowsOfAHead) + (FirstToken - FirstRow) + token;

        /// <summary>Where a row of scores begins.</summary>
        /// <param name="cacheHead">The key/value head.</param>
        /// <param name="head">The head in its group.</param>
        /// <param name="token">The token in this launch.</param>
        /// <returns>An index of <see cref="Scores"/>.</returns>
        public long ScoreRow(int cacheHead, int head, int token) =>
            RowNumber(cacheHead, head, token) * Shape.KeyTokens;

        /// <summary>Where the sum of a block begins.</summary>
        /// <param name="cacheHead">The key/value head.</param>
        /// <param name="head">The head in its group.</param>
        /// <param name="token">The token in this launch.</param>
        /// <param name="block">The block.</param>
        /// <returns>An index of <see cref="BlockSums"/>.</returns>
        public long BlockRow(int cacheHead, int head, int token, int block)
        {
            long row = ((((long)cacheHead * Group) + head) * Tokens) + token;
            return ((row * Blocks) + block) * Shape.HeadDim;
        }

        /// <summary>Where the maxima of the segments of a row begin; its denominator follows them.</summary>
        /// <param name="cacheHead">The key/value head.</param>
        /// <param name="head">The head in its group.</param>
        /// <param name="token">The token in this launch.</param>
        /// <returns>An index of <see cref="BlockSums"/>.</returns>
        public long MaximaOf(int cacheHead, int head, int token) =>
            (((((long)cacheHead * Group) + head) * Tokens) + token) * (Segments + 1);

        /// <summary>Where a head's part of a context begins.</summary>
        /// <param name="cacheHead">The key/value head.</param>
        /// <param name="head">The head in its group.</param>
        /// <param name="token">The token in this launch.</param>
        /// <returns>An index of <see cref="Context"/>.</returns>
        public long ContextRow(int cacheHead, int head, int token)
        {
            int sequence = SequenceOf(cacheHead), keyValueHead = cacheHead - (sequence * Shape.KeyValueHeads);
            long row = ((long)sequence * Shape.QueryTokens) + FirstToken + token;
            return ((row * Shape.Heads) + (keyValueHead * Group) + head) * Shape.HeadDim;
        }

        /// <summary>What the queries of a token may see.</summary>
        /// <param name="cacheHead">The key/value head.</param>
        /// <param name="token">The token in this launch.</param>
        /// <returns>The row.</returns>
        public AttentionRow RowOf(int cacheHead, int token)
        {
            int limit = Shape.PastTokens + FirstToken + token + 1;
            if (Visible.Length == 0)
            {
                return new AttentionRow(0, 0, limit, true);
            }

            int sequence = SequenceOf(cacheHead), firstKey = FirstVisible[sequence];
            bool sees = firstKey < limit;
            return new AttentionRow(
                (long)sequence * Shape.KeyTokens, sees ? firstKey : 0, sees ? limit : Shape.KeyTokens, sees);
        }

        /// <summary>The sequence of a key/value head, by steps and not by a division.</summary>
        private int SequenceOf(int cacheHead)
        {
            int sequence = 0;
            for (int rest = cacheHead; rest >= Shape.KeyValueHeads; rest -= Shape.KeyValueHeads)
            {
                sequence++;
            }

            return sequence;
        }
    }

    /// <summary>The keys of the queries of one token.</summary>
    /// <param name="Visible">Where the visibility of the keys of its sequence begins.</param>
    /// <param name="FirstKey">Where the blocks of p·v begin.</param>
    /// <param name="Keys">The keys of the row: its causal prefix, or all where it sees nothing.</param>
    /// <param name="SeesSomething">Whether it sees any key.</param>
    internal readonly record struct AttentionRow(long Visible, int FirstKey, int Keys, bool SeesSomething)
    {
        /// <summary>The keys that need a score.</summary>
        public int ScoredKeys => SeesSomething ? Keys : 0;

        /// <summary>The end of a block of p·v.</summary>
        /// <param name="block">Its first key.</param>
        /// <returns>The key after its last one.</returns>
        public int EndOfBlock(int block) =>
            block + Summation.BlockLength < Keys ? block + Summation.BlockLength : Keys;
    }
}
