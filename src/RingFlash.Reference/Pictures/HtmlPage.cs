using System;
using System.Collections.Generic;
using System.Text;

namespace RingFlash.Reference.Pictures;

/// <summary>
/// One HTML page that needs nothing else: no script, no link, no font, no picture from elsewhere; its policy forbids
/// the browser to fetch anything. Also well-formed XML, so that a test can parse it.
/// </summary>
public sealed class HtmlPage
{
    private const string Style =
        "body{font-family:sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;line-height:1.45;color:#111;"
        + "background:#fff}table{border-collapse:collapse;margin:1rem 0}td,th{border:1px solid #ccc;padding:.25rem "
        + ".5rem;"
        + "text-align:left;vertical-align:top}td.n{text-align:right;font-variant-numeric:tabular-nums;"
        + "white-space:nowrap}"
        + "svg{display:block;margin:1rem 0;max-width:100%;height:auto}code{font-size:.95em}.warn{color:#a00}";

    private readonly StringBuilder body = new();
    private readonly string title;

    /// <summary>Starts a page.</summary>
    /// <param name="title">The title and first heading.</param>
    public HtmlPage(string title)
    {
        ArgumentNullException.ThrowIfNull(title);
        this.title = title;
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
    /// <param name="headers">The head; a name that begins with "#" heads a column of numbers.</param>
    /// <param name="rows">As many cells per row as there are headers.</param>
    public void Table(IReadOnlyList<string> headers, IEnumerable<IReadOnlyList<string>> rows)
    {
        ArgumentNullException.ThrowIfNull(headers);
        ArgumentNullException.ThrowIfNull(rows);
        body.Append("<table>\n<tr>");
        foreach (string header in headers)
        {
            body.Append("<th>").Append(SvgWriter.Escape(header.TrimStart('#'))).Append("</th>");
        }

        body.Append("</tr>\n");
        foreach (IReadOnlyList<string> row in rows)
        {
            if (row.Count != headers.Count)
            {
                throw new ArgumentException($"a row of {row.Count} cells under {headers.Count} headers", nameof(rows));
            }

            body.Append("<tr>");
            for (int column = 0; column < row.Count; column++)
            {
                bool isNumber = headers[column].StartsWith('#');
                body.Append(isNumber ? "<td class=\"n\">" : "<td>").Append(SvgWriter.Escape(row[column])).Append(
                    "</td>");
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

    private void Element(string name, string text) =>
        body.Append('<').Append(name).Append('>').Append(SvgWriter.Escape(text)).Append("</").Append(name).Append(
            ">\n");
}
