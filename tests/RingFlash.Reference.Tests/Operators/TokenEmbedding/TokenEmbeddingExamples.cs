// Red here: the model starts from the embedding of another token.
using System;
using RingFlash.Reference.Operators;
using Xunit;

namespace RingFlash.Reference.Tests.Operators;

public sealed class TokenEmbeddingExamples
{
    private static readonly DenseMatrix Table = new(3, 2, [10f, 11f, 20f, 21f, 30f, 31f]);

    [Fact]
    public void RowsAreCopiedUnscaledInTheOrderOfTheIds()
    {
        float[] hidden = new float[8];
        TokenEmbedding.Scalar([2, 0, 2, 1], Table, hidden);
        Assert.Equal([30f, 31f, 10f, 11f, 30f, 31f, 20f, 21f], hidden);
        double[] exact = new double[8];
        TokenEmbedding.Exact([2, 0, 2, 1], Table, exact);
        Assert.Equal(TestValues.Wide(hidden), exact);
        TokenEmbedding.Scalar([], Table, []);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(3)]
    [InlineData(4294967296)] // its low half is a valid id
    public void AnIdOutsideTheVocabularyIsRefusedBeforeAnythingIsRead(long id)
    {
        DenseMatrix table = new(3, 2, new float[6]);
        Assert.Throws<ArgumentOutOfRangeException>(() => TokenEmbedding.Scalar([0, id], table, new float[4]));
        Assert.Equal(0, table.Reads);
    }
}
