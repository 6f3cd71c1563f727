using System;
using System.Numerics.Tensors;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Checkpoint;

/// <summary>
/// A linear weight W [outputs, inputs] as the operators see it: float32 values read by row or by panel. Where the
/// values come from (a file, a generator, codes with block scales) is not visible.
/// </summary>
/// <remarks>
/// A matrix is the unit of residency: after <see cref="Pack"/> its <see cref="Panels"/> lie in memory and the vector
/// engine multiplies those; before it, and after <see cref="Unpack"/>, panels are read as they are used. The bits are
/// the same. Rows always come from where the values come from.
/// </remarks>
public abstract class WeightMatrix
{
    /// <summary>Sets the name and the axes.</summary>
    /// <param name="name">The checkpoint name.</param>
    /// <param name="outputs">The number of rows.</param>
    /// <param name="inputs">The number of columns.</param>
    protected WeightMatrix(string name, int outputs, int inputs)
    {
        Name = name;
        Outputs = outputs;
        Inputs = inputs;
    }

    /// <summary>The checkpoint name.</summary>
    public string Name { get; }

    /// <summary>Rows of W: the length of an output row.</summary>
    public int Outputs { get; }

    /// <summary>Columns of W: the length of an input row.</summary>
    public int Inputs { get; }

    /// <summary>The weights in memory; null while they are read as they are used.</summary>
    public WeightPanels? Panels { get; private set; }

    /// <summary>The smallest format that holds every number of the matrix exactly.</summary>
    protected virtual PanelFormat PackedFormat => PanelFormat.Float32;

    /// <summary>The smallest format, for those who hold the numbers elsewhere than in panels.</summary>
    internal PanelFormat SmallestFormat => PackedFormat;

    /// <summary>How the numbers are made, where they are synthetic.</summary>
    internal virtual SyntheticSequence? Sequence => null;

    /// <summary>The bytes of memory that <see cref="PackedFormat"/> takes.</summary>
    internal long PackedBytes => WeightPanels.ByteCountOf(PackedFormat, Outputs, Inputs);

    /// <summary>Reads the matrix into memory; does nothing when it is there.</summary>
    /// <param name="workers">The threads.</param>
    public void Pack(WorkerPool workers) => Panels ??=
        WeightPanels.Read(PackedFormat, Outputs, Inputs, ReadPackedPanel, workers)
        ?? WeightPanels.Read(PanelFormat.Float32, Outputs, Inputs, ReadPanel, workers);

    /// <summary>Gives the memory back. No product with the matrix may be running.</summary>
    public void Unpack()
    {
        Panels?.Dispose();
        Panels = null;
    }

    /// <summary>Reads the matrix into memory that belongs to somebody else.</summary>
    /// <param name="memory">
    /// At least <see cref="PackedBytes"/> bytes. Left alone when the numbers do not fit the format; the matrix is then
    /// read as it is used.
    /// </param>
    /// <param name="workers">The threads.</param>
    internal void PackInto(AlignedBuffer memory, WorkerPool workers) => Panels ??=
        WeightPanels.Read(PackedFormat, Outputs, Inputs, ReadPackedPanel, workers, memory);

    /// <summary>The length of one of the two axes of a stored matrix.</summary>
    /// <param name="source">The source, for messages.</param>
    /// <param name="tensor">The tensor.</param>
    /// <param name="axis">0 for outputs, 1 for inputs.</param>
    /// <returns>At least 1.</returns>
    /// <exception cref="InvalidInputException">The tensor is no matrix, or an axis is empty or too long.</exception>
    protected internal static int Axis(IWeightSource source, TensorInfo tensor, int axis)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(tensor);
        return tensor.Shape.Count == 2 && tensor.Shape[axis] is > 0 and <= int.MaxValue
            ? (int)tensor.Shape[axis]
            : throw new InvalidInputException(
                source.Description, tensor.Name, $"shape {tensor.ShapeText}; a matrix [outputs, inputs] is required");
    }

    /// <summary>Reads one row.</summary>
    /// <param name="row">0 … Outputs − 1.</param>
    /// <param name="destination">[Inputs], float32, written.</param>
    public abstract void ReadRow(int row, Span<float> destination);

    /// <summary>Reads a transposed tile; see <see cref="IWeightSource.ReadPanel"/>.</summary>
    /// <param name="firstRow">A multiple of 32.</param>
    /// <param name="firstColumn">A multiple of 128.</param>
    /// <param name="columnCount">The number of columns.</param>
    /// <param name="panel">[columnCount, 32], float32, written; zero for rows beyond the matrix.</param>
    public abstract void ReadPanel(int firstRow, int firstColumn, int columnCount, Span<float> panel);

    /// <summary>Reads what <see cref="PackedFormat"/> stores: the weights, or bare codes.</summary>
    /// <param name="firstRow">A multiple of 32.</param>
    /// <param name="firstColumn">A multiple of 128.</param>
    /// <param name="columnCount">The number of columns.</param>
    /// <param name="panel">[columnCount, 32], float32, written.</param>
    protected virtual void ReadPackedPanel(int firstRow, int firstColumn, int columnCount, Span<float> panel) =>
        ReadPanel(firstRow, firstColumn, columnCount, panel);
}

/// <summary>A matrix whose stored numbers are the weights: f32, bf16 or f16 in a file, or generated.</summary>
public sealed class SourceMatrix : WeightMatrix
{
    private readonly IWeightSource source;
    private readonly TensorInfo tensor;
    private readonly bool roundToBFloat16;

    /// <summary>Refers to a tensor of a source; nothing is read yet.</summary>
    /// <param name="source">The source.</param>
    /// <param name="tensor">A matrix of it.</param>
    /// <param name="roundToBFloat16">
    /// Whether wider values are rounded to bfloat16, as loading the published model in bfloat16 does.
    /// </param>
    public SourceMatrix(IWeightSource source, TensorInfo tensor, bool roundToBFloat16)
        : base(tensor.Name, Axis(source, tensor, 0), Axis(source, tensor, 1))
    {
        this.source = source;
        this.tensor = tensor;
        this.roundToBFloat16 = roundToBFloat16 && tensor.ElementType != ElementType.BFloat16;
    }

    /// <inheritdoc/>
    internal override SyntheticSequence? Sequence => (source as SyntheticSource)?.SequenceOf(tensor);

    /// <inheritdoc/>
    protected override PanelFormat PackedFormat => roundToBFloat16 || tensor.ElementType == ElementType.BFloat16
        ? PanelFormat.BFloat16
        : PanelFormat.Float32;

    /// <inheritdoc/>
    public override void ReadRow(int row, Span<float> destination)
    {
        source.Read(tensor, (long)row * Inputs, destination[..Inputs]);
        RoundInPlace(destination[..Inputs]);
    }

    /// <inheritdoc/>
    public override void ReadPanel(int firstRow, int firstColumn, int columnCount, Span<float> panel)
    {
        source.ReadPanel(tensor, firstRow, firstColumn, columnCount, panel);
        RoundInPlace(panel);
    }

    private void RoundInPlace(Span<float> values)
    {
        if (roundToBFloat16)
        {
            for (int index = 0; index < values.Length; index++)
            {
                values[index] = BFloat16.Round(values[index]);
            }
        }
    }
}

/// <summary>
/// A block-quantised matrix: e4m3 codes with one float32 scale per 128 × 128 block. The weight is
/// <c>float32(code) · scale[⌊row/128⌋, ⌊column/128⌋]</c>, one rounding. (The scales are stored under the name
/// <c>weight_scale_inv</c> and are multiplied all the same.)
/// </summary>
public sealed class Float8BlockMatrix : WeightMatrix
{
    /// <summary>The side of a block.</summary>
    public const int BlockSize = 128;

    private readonly IWeightSource source;
    private readonly TensorInfo codes;
    private readonly float[] scales;
    private readonly int scaleColumns;

    /// <summary>Refers to the codes and reads the scales.</summary>
    /// <param name="source">The source of both.</param>
    /// <param name="codes">[outputs, inputs], F8_E4M3.</param>
    /// <param name="scaleTensor">[⌈outputs/128⌉, ⌈inputs/128⌉], F32.</param>
    /// <exception cref="InvalidInputException">The codes are no e4m3 matrix, or the scales do not fit them.</exception>
    public Float8BlockMatrix(IWeightSource source, TensorInfo codes, TensorInfo scaleTensor)
        : base(codes.Name, Axis(source, codes, 0), Axis(source, codes, 1))
    {
        if (codes.ElementType != ElementType.Float8E4M3)
        {
            throw new InvalidInputException(
                source.Description, codes.Name, $"element type {codes.ElementType.HeaderName()}, expected F8_E4M3");
        }

        this.source = source;
        this.codes = codes;
        scaleColumns = (Inputs + BlockSize - 1) / BlockSize;
        int scaleRows = (Outputs + BlockSize - 1) / BlockSize;
        if (scaleTensor.Shape.Count != 2 || scaleTensor.Shape[0] != scaleRows || scaleTensor.Shape[1] != scaleColumns)
        {
            throw new InvalidInputException(
                source.Description,
                scaleTensor.Name,
                $"shape {scaleTensor.ShapeText}, but {codes.ShapeText} in blocks of 128 needs "
                + $"[{scaleRows}, {scaleColumns}]");
        }

        scales = new float[scaleRows * scaleColumns];
        source.Read(scaleTensor, 0, scales);
        PackedFormat = TensorPrimitives.MaxMagnitude<float>(scales) <= PanelFormats.Float8E4M3.LargestScale
            ? PanelFormat.Float8E4M3
            : PanelFormat.Float32; // NaN comes here too
    }

    /// <inheritdoc/>
    protected override PanelFormat PackedFormat { get; }

    /// <summary>The scales of the blocks that a row crosses.</summary>
    /// <param name="row">0 … Outputs − 1.</param>
    /// <returns>[⌈inputs/128⌉].</returns>
    public ReadOnlySpan<float> RowScales(int row) => scales.AsSpan(row / BlockSize * scaleColumns, scaleColumns);

    /// <summary>Reads one row of bare code values.</summary>
    /// <param name="row">0 … Outputs − 1.</param>
    /// <param name="destination">[Inputs], float32, written.</param>
    public void ReadCodeRow(int row, Span<float> destination) =>
        source.Read(codes, (long)row * Inputs, destination[..Inputs]);

    /// <summary>Reads a transposed tile of bare code values.</summary>
    /// <param name="firstRow">A multiple of 32.</param>
    /// <param name="firstColumn">A multiple of 128.</param>
    /// <param name="columnCount">The number of columns.</param>
    /// <param name="panel">[columnCount, 32], float32, written.</param>
    public void ReadCodePanel(int firstRow, int firstColumn, int columnCount, Span<float> panel) =>
        source.ReadPanel(codes, firstRow, firstColumn, columnCount, panel);

    /// <inheritdoc/>
    public override void ReadRow(int row, Span<float> destination)
    {
        ReadCodeRow(row, destination);
        ReadOnlySpan<float> rowScales = RowScales(row);
        for (int column = 0; column < Inputs; column++)
        {
            destination[column] *= rowScales[column / BlockSize];
        }
    }

    /// <inheritdoc/>
    public override void ReadPanel(int firstRow, int firstColumn, int columnCount, Span<float> panel)
    {
        ReadCodePanel(firstRow, firstColumn, columnCount, panel);
        ReadOnlySpan<float> rowScales = RowScales(firstRow); // 32 divides 128: a panel lies in one row of blocks
        for (int column = 0; column < columnCount; column++)
        {
            float scale = rowScales[(firstColumn + column) / BlockSize];
            Span<float> lanes = panel.Slice(column * 32, 32);
            for (int lane = 0; lane < lanes.Length; lane++)
            {
                lanes[lane] *= scale;
            }
        }
    }

    /// <inheritdoc/>
    protected override void ReadPackedPanel(int firstRow, int firstColumn, int columnCount, Span<float> panel)
    {
        if (PackedFormat == PanelFormat.Float8E4M3)
        {
            ReadCodePanel(firstRow, firstColumn, columnCount, panel);
        }
        else
        {
            ReadPanel(firstRow, firstColumn, columnCount, panel);
        }
    }
}
