using System;
using System.IO;
using System.Text.Json;
using System.Threading.Tasks;
using Microsoft.AspNetCore.Http;
using RingFlash.Reference.Configuration;
using RingFlash.Reference.Numerics;

namespace RingFlash.Cli.Server;

/// <summary>Reads the JSON that a client sent.</summary>
internal static class RequestBody
{
    /// <summary>Reads and checks a body; the server's limits hold while it is read.</summary>
    /// <param name="http">The request.</param>
    /// <returns>The document, by the rules of <see cref="StrictJson"/>.</returns>
    /// <exception cref="ApiException">The body does not say that it is JSON.</exception>
    /// <exception cref="BadHttpRequestException">The body is too long, or comes too slowly.</exception>
    /// <exception cref="InvalidInputException">It is no strict JSON.</exception>
    public static async Task<JsonDocument> Read(HttpContext http)
    {
        // A browser sends other types to any address without asking first, and a page could use the server through it.
        if (!http.Request.HasJsonContentType())
        {
            throw new ApiException(
                StatusCodes.Status415UnsupportedMediaType,
                "UnsupportedMediaTypeError",
                "the body must be sent as Content-Type: application/json");
        }

        using MemoryStream body = new();
        await http.Request.Body.CopyToAsync(body, http.RequestAborted).ConfigureAwait(false);
        return StrictJson.Parse(body.GetBuffer().AsMemory(0, (int)body.Length), RequestFields.SourceName);
    }
}
