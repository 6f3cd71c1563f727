// Red here: some character is a letter, a number, white space or a mark for us and not for Hugging Face's tokenizers.
using System;
using System.Security.Cryptography;
using System.Text;
using RingFlash.Reference.Tokenization;
using Xunit;

namespace RingFlash.Reference.Tests.Tokenization;

/// <summary>All code points but U+0000; both sums are printed by <c>tools/tokenizer/character-tables.js</c>.</summary>
public sealed class CharacterTables
{
    [Fact]
    public void ClassesAreThoseOfHuggingFace()
    {
        StringBuilder classes = new();
        ForEach(code => classes.Append(CharacterClasses.Of(code) switch
        {
            CharacterClass.Letter => 'L',
            CharacterClass.Number => 'N',
            CharacterClass.Space => 'S',
            CharacterClass.LineBreak => 'B',
            _ => 'O',
        }));
        Assert.Equal("a42c4f3803f20dd903cbaed680c5ec840aac987652f77390188ced91391b5282", Sum(classes));
    }

    [Fact]
    public void NormalFormsAreThoseOfHuggingFace()
    {
        StringBuilder forms = new();
        ForEach(code =>
        {
            string character = char.ConvertFromUtf32(code);
            forms.Append(CanonicalComposition.Normalize(character)).Append('\n');
            forms.Append(CanonicalComposition.Normalize($"a{character}\u0327{character}\u0301")).Append('\n');
        });
        Assert.Equal("5b8df15cc7f5427510dcea74b4fcfc51608d8d69fe371e065dfd224d2fb41695", Sum(forms));
    }

    private static void ForEach(Action<int> action)
    {
        for (int code = 1; code < 0x110000; code++)
        {
            if (code is < 0xD800 or > 0xDFFF)
            {
                action(code);
            }
        }
    }

    private static string Sum(StringBuilder text) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())));
}
