// Red here means that `server check` trusts a server too far, presses on one that is busy, or does not end.
using System;
using System.Diagnostics;
using System.IO;
using System.IO.Compression;
using System.Linq;
using System.Net;
using System.Net.Sockets;
using System.Threading;
using System.Threading.Tasks;
using Microsoft.AspNetCore.Http;
using RingFlash.Cli;
using RingFlash.Reference.Tests.Cli;
using Xunit;

namespace RingFlash.Reference.Tests.Server;

public sealed class ServerCheckHttpTests : IAsyncLifetime
{
    private const string Key = "sk-0123456789";

    private readonly FakeModel model = new();
    private FakeServer server = null!;

    public async ValueTask InitializeAsync() => server = await FakeServer.Start(model);

    public async ValueTask DisposeAsync()
    {
        await server.DisposeAsync();
        model.Dispose();
    }

    [Fact]
    public async Task NobodyThere()
    {
        using TcpListener free = new(IPAddress.Loopback, 0);
        free.Start();
        int port = ((IPEndPoint)free.LocalEndpoint).Port;
        free.Stop();
        await Ends("unreachable", ExitCodes.Environment, await Run($"http://127.0.0.1:{port}"));
    }

    [Fact]
    public async Task NoSuchHost() =>
        await Ends("unreachable", ExitCodes.Environment, await Run("http://no-such-host.invalid:8000"));

    [Fact]
    public async Task NoTls() => await Ends(
        "tls", ExitCodes.Environment, await Run(server.Address.Replace("http:", "https:", StringComparison.Ordinal)));

    [Fact]
    public async Task BusyForAMoment()
    {
        server.Intercept = async (http, number) =>
        {
            if (number is 1 or 2)
            {
                http.Response.Headers.RetryAfter = number == 1 ? "1" : "0";
                await FakeServer.Send(http, "{}", number == 1 ? 429 : 503);
            }

            return number is 1 or 2;
        };
        long start = Stopwatch.GetTimestamp();
        ToolRun run = await server.Check();
        Assert.True(run.Code == 0, run.Output + run.Error);
        Assert.InRange(Stopwatch.GetElapsedTime(start).TotalSeconds, 1, 60);
        Assert.Equal(["retried"], server.Oddities);
    }

    [Theory]
    [InlineData(429)]
    [InlineData(503)]
    public async Task BusyForGood(int status)
    {
        int asked = 0;
        server.Intercept = async (http, number) =>
        {
            if (number > 0)
            {
                asked++;
                http.Response.Headers.RetryAfter = "0";
                await FakeServer.Send(http, "{}", status);
            }

            return number > 0;
        };
        await Ends("busy", ExitCodes.Environment, await server.Check());
        Assert.Equal(4, asked);
    }

    [Theory]
    [InlineData(500, "server-error")]
    [InlineData(502, "server-error")]
    [InlineData(504, "server-error")]
    [InlineData(404, "not-found")]
    [InlineData(413, "refused")]
    public async Task AnErrorIsNotAskedForTwice(int status, string name)
    {
        int asked = 0;
        server.Intercept = async (http, number) =>
        {
            if (number > 0)
            {
                asked++;
                await FakeServer.Send(http, "{\"error\":{\"message\":\"CUDA error\"}}", status);
            }

            return number > 0;
        };
        ToolRun run = await server.Check();
        await Ends(name, ExitCodes.BadInput, run);
        Assert.Contains("CUDA error", run.Output, StringComparison.Ordinal);
        Assert.Equal(1, asked);
    }

    [Theory]
    [InlineData(401)]
    [InlineData(403)]
    public async Task AWrongKey(int status)
    {
        server.Intercept = async (http, _) =>
        {
            if (http.Request.Headers.Authorization == $"Bearer {Key}")
            {
                return false;
            }

            await FakeServer.Send(http, "{\"error\":\"Unauthorized\"}", status);
            return true;
        };
        await Ends("unauthorised", ExitCodes.Environment, await server.Check());
        ToolRun run = await server.Check(Key, CancellationToken.None);
        Assert.True(run.Code == 0, run.Output + run.Error);
        Assert.DoesNotContain(
            Key, run.Output + run.Error + await File.ReadAllTextAsync(server.Report), StringComparison.Ordinal);
        run = await server.Check("two words", CancellationToken.None);
        Assert.Equal(ExitCodes.WrongUsage, run.Code);
    }

    [Fact]
    public async Task AnotherHostGetsNothing()
    {
        await using FakeServer other = await FakeServer.Start(model);
        server.Intercept = (http, number) =>
        {
            if (number > 0)
            {
                http.Response.StatusCode = 307;
                http.Response.Headers.Location = other.Address + http.Request.Path;
            }

            return Task.FromResult(number > 0);
        };
        ToolRun run = await server.Check(Key, CancellationToken.None);
        await Ends("redirect", ExitCodes.BadInput, run);
        Assert.Empty(other.Seen);
        Assert.Contains(other.Address, run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WithinOneHostARedirectIsFollowedButNotForEver()
    {
        server.Intercept = (http, number) =>
        {
            bool again = number is 1 or 2;
            if (again)
            {
                http.Response.StatusCode = 307;
                http.Response.Headers.Location = "/v1/completions";
            }

            return Task.FromResult(again);
        };
        ToolRun run = await server.Check();
        Assert.True(run.Code == 0, run.Output + run.Error);
        server.Intercept = (http, number) =>
        {
            http.Response.StatusCode = 308;
            http.Response.Headers.Location = "/v1/completions";
            return Task.FromResult(number > 0);
        };
        await Ends("redirect", ExitCodes.BadInput, await server.Check());
    }

    [Fact]
    public async Task ALogInPageWith200()
    {
        server.Intercept = async (http, number) =>
        {
            if (number > 0)
            {
                await FakeServer.Send(http, "please log in", 200, "text/html; charset=utf-8");
            }

            return number > 0;
        };
        await Ends("html", ExitCodes.BadInput, await server.Check());
    }

    [Fact]
    public async Task AGzipBombIsReadToTheCapAndNoFurther()
    {
        MemoryStream bomb = new();
        await using (GZipStream gzip = new(bomb, CompressionLevel.Optimal, leaveOpen: true))
        {
            byte[] spaces = new byte[1 << 20];
            Array.Fill(spaces, (byte)' ');
            for (int mebibyte = 0; mebibyte < 1024; mebibyte++)
            {
                gzip.Write(spaces);
            }
        }

        Assert.InRange(bomb.Length, 1, 8 << 20);
        server.Intercept = async (http, number) =>
        {
            if (number > 0)
            {
                http.Response.Headers.ContentEncoding = "gzip";
                http.Response.ContentType = "application/json";
                await http.Response.Body.WriteAsync(bomb.ToArray());
            }

            return number > 0;
        };
        long before = GC.GetTotalAllocatedBytes();
        await Ends("too-large", ExitCodes.BadInput, await server.Check());
        Assert.InRange(GC.GetTotalAllocatedBytes() - before, 0, 600L << 20);
    }

    [Fact]
    public async Task AnAnswerInGzipIsRead()
    {
        server.Intercept = async (http, number) =>
        {
            if (http.Request.Path != "/version")
            {
                return false;
            }

            http.Response.Headers.ContentEncoding = "gzip";
            http.Response.ContentType = "application/json";
            await using GZipStream gzip = new(http.Response.Body, CompressionLevel.Fastest);
            await gzip.WriteAsync("{\"version\":\"1.2.3\"}"u8.ToArray());
            return true;
        };
        ToolRun run = await server.Check();
        Assert.True(run.Code == 0, run.Output + run.Error);
        Assert.Equal("1.2.3", (string)server.Json["server"]!["version"]!);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ACutBody(bool withLength)
    {
        server.Intercept = async (http, number) =>
        {
            if (number > 0)
            {
                http.Response.ContentType = "application/json";
                http.Response.ContentLength = withLength ? 1000 : null;
                await http.Response.Body.WriteAsync("{\"choices\":[{\"index\":0,"u8.ToArray());
                await http.Response.Body.FlushAsync();
                http.Abort();
            }

            return number > 0;
        };
        await Ends("truncated", ExitCodes.BadInput, await server.Check());
    }

    [Fact]
    public async Task DamagedGzip()
    {
        server.Intercept = async (http, number) =>
        {
            if (number > 0)
            {
                http.Response.Headers.ContentEncoding = "gzip";
                await FakeServer.Send(http, "{\"choices\":[]}");
            }

            return number > 0;
        };
        await Ends("truncated", ExitCodes.BadInput, await server.Check());
    }

    [Fact]
    public async Task TooSlow()
    {
        server.Intercept = async (http, number) =>
        {
            if (number > 0)
            {
                await Task.Delay(TimeSpan.FromSeconds(30), http.RequestAborted).ContinueWith(
                    _ => { }, TaskScheduler.Default);
            }

            return number > 0;
        };
        await Ends("timed-out", ExitCodes.Environment, await server.Check("--timeout", "1"));
    }

    [Fact]
    public async Task TooSlowInTheMiddleOfABody()
    {
        server.Intercept = async (http, number) =>
        {
            if (number > 0)
            {
                http.Response.ContentLength = 1000;
                await http.Response.Body.WriteAsync("{\"choices\":"u8.ToArray());
                await http.Response.Body.FlushAsync();
                await Task.Delay(TimeSpan.FromSeconds(30), http.RequestAborted).ContinueWith(
                    _ => { }, TaskScheduler.Default);
            }

            return number > 0;
        };
        await Ends("timed-out", ExitCodes.Environment, await server.Check("--timeout", "1"));
    }

    [Fact]
    public async Task NoInterfaceAtAll()
    {
        server.Intercept = (http, _) =>
        {
            http.Response.StatusCode = 404;
            return Task.FromResult(true);
        };
        await Ends("not-found", ExitCodes.BadInput, await server.Check());
        await Ends("not-found", ExitCodes.BadInput, await server.Check("--api", "sglang"));
    }

    [Fact]
    public async Task CtrlCStopsAtOnce()
    {
        using CancellationTokenSource stop = new();
        server.Intercept = async (http, number) =>
        {
            if (number == 2)
            {
                await stop.CancelAsync();
                await Task.Delay(TimeSpan.FromSeconds(30), http.RequestAborted).ContinueWith(
                    _ => { }, TaskScheduler.Default);
                return true;
            }

            return false;
        };
        long start = Stopwatch.GetTimestamp();
        ToolRun run = await server.Check(null, stop.Token);
        Assert.InRange(Stopwatch.GetElapsedTime(start).TotalSeconds, 0, 20);
        Assert.Equal(ExitCodes.Interrupted, run.Code);
        Assert.Equal("ringflash: stopped by Ctrl-C\n", run.Error);
        Assert.False(File.Exists(server.Report));
    }

    private async Task Ends(string name, int code, ToolRun run)
    {
        Assert.True(run.Code == code, run.Output + run.Error);
        Assert.StartsWith("NOT CHECKED ", run.Output, StringComparison.Ordinal);
        Assert.Contains($"{name}: ", run.Output, StringComparison.Ordinal);
        Assert.StartsWith("ringflash: http", run.Error, StringComparison.Ordinal);
        Assert.Single(run.Error.TrimEnd('\n').Split('\n'));
        Assert.Contains(name, server.Oddities);
        await Task.CompletedTask;
    }

    private Task<ToolRun> Run(string address) => ToolRun.In(
        ToolRun.Surroundings((_, _, _) => throw new NotSupportedException()),
        CancellationToken.None,
        "server", "check", address, model.Name, "--json", server.Report);
}
