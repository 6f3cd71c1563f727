using System.Collections.Generic;
using RingFlash.Reference.Checkpoint;
using RingFlash.Reference.Numerics;

namespace RingFlash.Reference.Dumps;

/// <summary>
/// Logits as llama.cpp's <c>llama-debug</c> and the scripts of <c>examples/model-conversion</c> write them: float32,
/// little-endian, no header. Nothing in the file says how large the vocabulary is, so the caller has to.
/// </summary>
/// <remarks>
/// The tensor is called <c>logits</c>, [rows, vocabulary]; llama.cpp writes one row, that of the last token. Source:
/// ggml-org/llama.cpp@068ff305, examples/model-conversion.
/// </remarks>
internal static class RawLogits
{
    /// <summary>The end of such a file's name.</summary>
    public const string Extension = ".bin";

    /// <summary>Adds the logits.</summary>
    /// <param name="dump">Takes the tensor.</param>
    /// <param name="file">The file.</param>
    /// <param name="attributes">What is known beside.</param>
    public static void Add(OpenedDump dump, ByteSource file, IReadOnlyDictionary<string, string> attributes)
    {
        if (dump.Options.VocabularySize is not int vocabulary)
        {
            throw new InvalidInputException(
                file.Name,
                string.Empty,
                "no known format; if these are raw float32 logits (llama.cpp), give the vocabulary size");
        }

        long rowLength = (long)vocabulary * sizeof(float);
        if (vocabulary <= 0 || file.Length % rowLength != 0)
        {
            throw new InvalidInputException(
                file.Name,
                string.Empty,
                $"{file.Length} bytes are no whole rows of {vocabulary} float32 logits ({rowLength} bytes each)");
        }

        TensorInfo tensor = new("logits", ElementType.Float32, [file.Length / rowLength, vocabulary]);
        dump.Add(new StoredTensor(file, 0, tensor, attributes));
        dump.Read("raw float32 logits");
    }
}
