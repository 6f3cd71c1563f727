using System;
using System.Runtime.InteropServices;

namespace RingFlash.Peers;

/// <summary>The float32 products of OpenBLAS (Debian: <c>apt-get install libopenblas0-pthread</c>).</summary>
internal static partial class OpenBlas
{
    private const string Library = "libopenblas.so.0";
    private const int RowMajor = 101, NoTranspose = 111, Transpose = 112;

    /// <summary>Loads it, or says why not.</summary>
    /// <param name="threads">Its threads.</param>
    /// <param name="description">Its version and the kernels that it chose, or the reason.</param>
    /// <returns>Whether it can be used.</returns>
    public static bool TryLoad(int threads, out string description)
    {
        // Such a setting makes it a machine of ten years ago: half the speed, and an unfair peer.
        foreach (string setting in (string[])["OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"])
        {
            if (Environment.GetEnvironmentVariable(setting) is not null)
            {
                description = $"OpenBLAS is not measured: unset {setting} first";
                return false;
            }
        }

        try
        {
            SetThreads(threads);
            string core = Marshal.PtrToStringUTF8(CoreName()) ?? string.Empty;
            description = $"{Marshal.PtrToStringUTF8(Configuration())}, kernels for {core}, {threads} threads";
            return true;
        }
        catch (DllNotFoundException)
        {
            description = $"OpenBLAS is not available: {Library} is not installed";
            return false;
        }
    }

    /// <summary>Y = X·Wᵀ.</summary>
    /// <param name="m">Rows of X.</param>
    /// <param name="n">Rows of W.</param>
    /// <param name="k">Columns of both.</param>
    /// <param name="x">[m, k], read.</param>
    /// <param name="w">[n, k], read.</param>
    /// <param name="y">[m, n], written.</param>
    public static unsafe void Product(int m, int n, int k, float* x, float* w, float* y)
    {
        if (m == 1)
        {
            MatrixVector(RowMajor, NoTranspose, n, k, 1, w, k, x, 1, 0, y, 1);
        }
        else
        {
            MatrixMatrix(RowMajor, NoTranspose, Transpose, m, n, k, 1, x, k, w, k, 0, y, n);
        }
    }

    [LibraryImport(Library, EntryPoint = "openblas_set_num_threads")]
    private static partial void SetThreads(int threads);

    [LibraryImport(Library, EntryPoint = "openblas_get_corename")]
    private static partial nint CoreName();

    [LibraryImport(Library, EntryPoint = "openblas_get_config")]
    private static partial nint Configuration();

    [LibraryImport(Library, EntryPoint = "cblas_sgemv")]
    private static unsafe partial void MatrixVector(
        int order, int transposed, int rows, int columns, float alpha, float* a, int strideA, float* x, int stepX,
        float beta, float* y, int stepY);

    [LibraryImport(Library, EntryPoint = "cblas_sgemm")]
    private static unsafe partial void MatrixMatrix(
        int order, int transposedA, int transposedB, int m, int n, int k, float alpha, float* a, int strideA,
        float* b, int strideB, float beta, float* c, int strideC);
}
