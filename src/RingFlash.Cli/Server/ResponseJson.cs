using System;
using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using Microsoft.AspNetCore.Http;

namespace RingFlash.Cli.Server;

/// <summary>Writes JSON to a client, as one answer or as server-sent events.</summary>
internal static class ResponseJson
{
    // Text stays readable; what HTML would need escaped, JSON does not.
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Sends an answer.</summary>
    /// <param name="response">To whom.</param>
    /// <param name="status">The HTTP status.</param>
    /// <param name="write">Writes the object.</param>
    /// <param name="cancellation">Stops sending.</param>
    /// <returns>The wait.</returns>
    public static async Task Send(
        HttpResponse response, int status, Action<Utf8JsonWriter> write, CancellationToken cancellation)
    {
        response.StatusCode = status;
        response.ContentType = "application/json; charset=utf-8";
        Write(response, write);
        await response.BodyWriter.FlushAsync(cancellation).ConfigureAwait(false);
    }

    /// <summary>Begins a stream of events.</summary>
    /// <param name="response">To whom.</param>
    public static void BeginStream(HttpResponse response)
    {
        response.StatusCode = StatusCodes.Status200OK;
        response.ContentType = "text/event-stream; charset=utf-8";
        response.Headers.CacheControl = "no-cache";
        response.Headers["X-Accel-Buffering"] = "no"; // a proxy is not to collect what should be seen at once
    }

    /// <summary>Sends an event.</summary>
    /// <param name="response">To whom.</param>
    /// <param name="write">Writes the object.</param>
    /// <param name="cancellation">Stops sending.</param>
    /// <returns>The wait.</returns>
    public static async Task SendEvent(
        HttpResponse response, Action<Utf8JsonWriter> write, CancellationToken cancellation)
    {
        response.BodyWriter.Write("data: "u8);
        Write(response, write); // the writer escapes line feeds, so an event is one line
        response.BodyWriter.Write("\n\n"u8);
        await response.BodyWriter.FlushAsync(cancellation).ConfigureAwait(false);
    }

    /// <summary>Sends the event that ends a stream.</summary>
    /// <param name="response">To whom.</param>
    /// <param name="cancellation">Stops sending.</param>
    /// <returns>The wait.</returns>
    public static async Task EndStream(HttpResponse response, CancellationToken cancellation)
    {
        response.BodyWriter.Write("data: [DONE]\n\n"u8);
        await response.BodyWriter.FlushAsync(cancellation).ConfigureAwait(false);
    }

    private static void Write(HttpResponse response, Action<Utf8JsonWriter> write)
    {
        using Utf8JsonWriter json = new(response.BodyWriter, Options);
        write(json);
    }
}
