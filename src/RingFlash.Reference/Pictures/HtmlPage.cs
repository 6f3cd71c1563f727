using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;

namespace RingFlash.Reference.Pictures;

/// <summary>
/// One HTML page that needs nothing else: no script, no font, no picture from elsewhere; its policy forbids the browser
/// to fetch anything. Links lead to files of this repository only. Also well-formed XML, so that a test can parse it.
/// Follows the reader's dark mode, but for the pictures, which stay on white; and is fit to be printed.
/// </summary>
public sealed class HtmlPage
{
    private const string Style =
        "body{font-family:sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;line-height:1.45;color:#111;"
        + "background:#fff}table{border-collapse:collapse;margin:1rem 0}td,th{border:1px solid #ccc;padding:.25rem "
        + ".5rem;"
        + "text-align:left;vertical-align:top}td.n{text-align:right;font-variant-numeric:tabular-nums;"
        + "white-space:nowrap}"
        + "svg{display:block;margin:1rem 0;max-width:100%;height:auto}code{font-size:.95em}.warn{color:#a00}"
        + "p,li,h1,h2,h3,code,td.l{overflow-wrap:anywhere}.good{color:#15703a}.verdict{font-size:1.15rem}"
        + "@media (prefers-color-scheme:dark){body{color:#e6e6e6;background:#161616}td,th{border-color:#555}"
        + ".warn{color:#ff8a80}.good{color:#7ddf9b}a{color:#8ab8ff}}"
        + "@media print{body{max-width:none;margin:0;color:#000;background:#fff}svg,tr{break-inside:avoid}}";

    private const int LongestWord = 24;

    private readonly StringBuilder body = new();
    private readonly string title;

    private readonly string? repository;

    /// <summary>Starts a page.</summary>
    /// <param name="title">The title and first heading.</param>
    /// <param name="repository">Where the repository's root lies as seen from the page's folder, e.g. <c>../..</c>;
    /// null when there is none, and files of it are named without a link.</param>
    public HtmlPage(string title, string? repository = null)
    {
        ArgumentNullException.ThrowIfNull(title);
        this.title = title;
        this.repository = repository;
    }

    /// <summary>What the page comes to, in one sentence.</summary>
    /// <param name="text">Plain text.</param>
    /// <param name="isGood">Whether it is green or red.</param>
    public void Verdict(string text, bool isGood) =>
        body.Append(isGood ? "<p class=\"verdict good\"><b>" : "<p class=\"verdict warn\"><b>")
            .Append(SvgWriter.Escape(text)).Append("</b></p>\n");

    /// <summary>A paragraph that ends with files of the repository.</summary>
    /// <param name="text">Plain text before them.</param>
    /// <param name="paths">The files, from the root on.</param>
    public void Files(string text, params IReadOnlyList<string> paths)
    {
        ArgumentNullException.ThrowIfNull(paths);
        body.Append("<p>").Append(SvgWriter.Escape(text)).Append(' ')
            .AppendJoin(", ", paths.Select(path => Link(path, path))).Append("</p>\n");
    }

    /// <summary>A heading of the second level.</summary>
    /// <param name="text">Plain text.</param>
    public void Heading(string text) => Element("h2", text);

    /// <summary>A heading of the third level.</summary>
    /// <param name="text">Plain text.</param>
    public void SubHeading(string text) => Element("h3", text);

    /// <summary>A paragraph.</summary>
    /// <param name="text">Plain text.</param>
    public void Paragraph(string text) => Element("p", text);

    /// <summary>A paragraph that must not be overlooked.</summary>
    /// <param name="text">Plain text.</param>
    public void Warning(string text) =>
        body.Append("<p class=\"warn\"><b>").Append(SvgWriter.Escape(text)).Append("</b></p>\n");

    /// <summary>A list.</summary>
    /// <param name="items">Plain text.</param>
    public void List(IEnumerable<string> items)
    {
        ArgumentNullException.ThrowIfNull(items);
        body.Append("<ul>\n");
        foreach (string item in items)
        {
            Element("li", item);
        }

        body.Append("</ul>\n");
    }

    /// <summary>A table.</summary>
    /// <param name="headers">The head, left out when every name is empty; a name that begins with "#" heads a column of
    /// numbers, one with "/" a column of files of the repository.</param>
    /// <param name="rows">As many cells per row as there are headers.</param>
    public void Table(IReadOnlyList<string> headers, IEnumerable<IReadOnlyList<string>> rows)
    {
        ArgumentNullException.ThrowIfNull(headers);
        ArgumentNullException.ThrowIfNull(rows);
        body.Append("<table>\n");
        if (headers.Any(header => header.Length > 0))
        {
            body.Append("<tr>");
            foreach (string header in headers)
            {
                body.Append("<th>").Append(SvgWriter.Escape(header.TrimStart('#', '/'))).Append("</th>");
            }

            body.Append("</tr>\n");
        }

        foreach (IReadOnlyList<string> row in rows)
        {
            if (row.Count != headers.Count)
            {
                throw new ArgumentException($"a row of {row.Count} cells under {headers.Count} headers", nameof(rows));
            }

            body.Append("<tr>");
            for (int column = 0; column < row.Count; column++)
            {
                body.Append(Cell(headers[column], row[column]));
            }

            body.Append("</tr>\n");
        }

        body.Append("</table>\n");
    }

    /// <summary>A picture of <see cref="SvgChart"/> or <see cref="SvgBars"/>.</summary>
    /// <param name="svg">The element, inserted as it is.</param>
    public void Picture(string svg) => body.Append(svg).Append('\n');

    /// <summary>Writes the page.</summary>
    /// <returns>The document.</returns>
    public string ToHtml()
    {
        string escaped = SvgWriter.Escape(title);
        return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
            + "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
            + "'unsafe-inline'\"/>\n"
            + $"<title>{escaped}</title>\n<style>{Style}</style>\n</head>\n<body>\n<h1>{escaped}</h1>\n"
            + $"{body}</body>\n</html>\n";
    }

    private string Cell(string header, string text)
    {
        if (header.StartsWith('/'))
        {
            return $"<td>{Link(text, text[(text.LastIndexOf('/') + 1)..])}</td>";
        }

        // Only a long word may be broken anywhere: else a browser makes room for it by breaking "layer" as well.
        string start = header.StartsWith('#') ? "<td class=\"n\">"
            : text.Split(' ').Any(word => word.Length > LongestWord) ? "<td class=\"l\">"
            : "<td>";
        return $"{start}{SvgWriter.Escape(text)}</td>";
    }

    private string Link(string path, string shown)
    {
        string name = $"<code title=\"{SvgWriter.Escape(path)}\">{SvgWriter.Escape(shown)}</code>";
        if (repository is null || path.Length == 0)
        {
            return name;
        }

        string target = string.Join('/', $"{repository}/{path}".Split('/').Select(Uri.EscapeDataString));
        return $"<a href=\"{SvgWriter.Escape(target)}\">{name}</a>";
    }

    private void Element(string name, string text) =>
        body.Append('<').Append(name).Append('>').Append(SvgWriter.Escape(text)).Append("</").Append(name).Append(
            ">\n");
}
