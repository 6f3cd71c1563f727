using System.Globalization;
using System.Text;

namespace RingFlash.Reference.Pictures;

/// <summary>The few SVG elements that the charts are made of; text is escaped, numbers have two decimals,
/// always.</summary>
internal sealed class SvgWriter
{
    private const string Ink = "#111111";

    private readonly StringBuilder text = new();

    public SvgWriter(int width, int height, string title)
    {
        text.Append("<svg xmlns=\"http://www.w3.org/2000/svg\"");
        Attribute("viewBox", string.Create(CultureInfo.InvariantCulture, $"0 0 {width} {height}"));
        Attribute("width", width);
        Attribute("height", height);
        text.Append(" role=\"img\" font-family=\"sans-serif\" font-size=\"12\">\n<title>").Append(Escape(title));
        text.Append("</title>\n");
        Rectangle(0, 0, width, height, "#ffffff");
        Text(width / 2.0, 20, title, "middle", Ink, 14);
    }

    /// <summary>Escapes the five characters of XML and replaces those that XML 1.0 cannot hold.</summary>
    public static string Escape(string value)
    {
        StringBuilder escaped = new(value.Length);
        for (int index = 0; index < value.Length; index++)
        {
            char character = value[index];
            bool isPair = char.IsHighSurrogate(character)
                && index + 1 < value.Length && char.IsLowSurrogate(value[index + 1]);
            if (isPair)
            {
                escaped.Append(character).Append(value[++index]);
                continue;
            }

            escaped.Append(character switch
            {
                '&' => "&amp;",
                '<' => "&lt;",
                '>' => "&gt;",
                '"' => "&quot;",
                '\'' => "&#39;",
                '\t' or '\n' => character.ToString(),
                < ' ' or '\u007F' or '\uFFFE' or '\uFFFF' => "\uFFFD",
                _ when char.IsSurrogate(character) => "\uFFFD",
                _ => character.ToString(),
            });
        }

        return escaped.ToString();
    }

    public void Line(double x1, double y1, double x2, double y2, string stroke, int width = 1, string dash = "")
    {
        text.Append("<line");
        Attribute("x1", x1);
        Attribute("y1", y1);
        Attribute("x2", x2);
        Attribute("y2", y2);
        Stroke(stroke, width, dash);
    }

    /// <summary>A shape without an edge, through which what is beneath shows.</summary>
    public void Area(string data, string fill)
    {
        text.Append("<path");
        Attribute("d", data);
        Attribute("fill", fill);
        Attribute("fill-opacity", 0.2);
        text.Append("/>\n");
    }

    public void Path(string data, string stroke, int width, string dash)
    {
        text.Append("<path");
        Attribute("d", data);
        Attribute("fill", "none");
        Stroke(stroke, width, dash);
    }

    /// <summary>A filled rectangle; its hint is what a viewer shows under the pointer, without any script.</summary>
    public void Rectangle(double x, double y, double width, double height, string fill, string hint = "")
    {
        text.Append("<rect");
        Attribute("x", x);
        Attribute("y", y);
        Attribute("width", width);
        Attribute("height", height);
        Attribute("fill", fill);
        text.Append(hint.Length == 0 ? "/>\n" : $"><title>{Escape(hint)}</title></rect>\n");
    }

    public void Dot(double x, double y, string fill)
    {
        text.Append("<circle");
        Attribute("cx", x);
        Attribute("cy", y);
        Attribute("r", 2.5);
        Attribute("fill", fill);
        text.Append("/>\n");
    }

    public void Text(double x, double y, string value, string anchor, string fill = Ink, int size = 12)
    {
        text.Append("<text");
        Attribute("x", x);
        Attribute("y", y);
        Attribute("text-anchor", anchor);
        Attribute("fill", fill);
        Attribute("font-size", size);
        text.Append('>').Append(Escape(value)).Append("</text>\n");
    }

    /// <summary>Text that is read from below, centred on a point.</summary>
    public void TextUpwards(double x, double y, string value)
    {
        text.Append("<g");
        Attribute(
            "transform", string.Create(CultureInfo.InvariantCulture, $"translate({x:0.##} {y:0.##}) rotate(-90)"));
        text.Append('>');
        Text(0, 0, value, "middle");
        text.Append("</g>\n");
    }

    /// <summary>What follows, until <see cref="Close"/>, is cut off at a frame; coordinates stay as they are.</summary>
    public void OpenFrame(double x, double y, double width, double height)
    {
        text.Append("<svg");
        Attribute("x", x);
        Attribute("y", y);
        Attribute("width", width);
        Attribute("height", height);
        Attribute(
            "viewBox", string.Create(CultureInfo.InvariantCulture, $"{x:0.##} {y:0.##} {width:0.##} {height:0.##}"));
        text.Append(">\n");
    }

    /// <summary>A whole chart, scaled into a frame.</summary>
    public void Picture(double x, double y, double width, double height, SvgChart chart)
    {
        text.Append("<svg");
        Attribute("x", x);
        Attribute("y", y);
        Attribute("width", width);
        Attribute("height", height);
        Attribute("viewBox", string.Create(CultureInfo.InvariantCulture, $"0 0 {SvgChart.Width} {chart.TotalHeight}"));
        text.Append(">\n").Append(chart.ToSvg()).Append("</svg>\n");
    }

    public void Close() => text.Append("</svg>\n");

    public string Finish() => text.Append("</svg>").ToString();

    private void Stroke(string stroke, int width, string dash)
    {
        Attribute("stroke", stroke);
        Attribute("stroke-width", width);
        if (dash.Length > 0)
        {
            Attribute("stroke-dasharray", dash);
        }

        text.Append("/>\n");
    }

    private void Attribute(string name, double value) =>
        Attribute(name, value.ToString("0.##", CultureInfo.InvariantCulture));

    private void Attribute(string name, string value) =>
        text.Append(' ').Append(name).Append("=\"").Append(value).Append('"');
}
