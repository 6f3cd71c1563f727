#!/usr/bin/env perl
# Writes src/RingFlash.Reference/Tokenization/CanonicalCharacters.txt: what NFC has to know of every code point, as of
# Unicode 9.0. That is the version in the crate that Hugging Face's tokenizers normalise with
# (unicode-normalization-alignments); later additions are left alone by it, and so by us.
#
#   perl tools/tokenizer/canonical-characters.pl > src/RingFlash.Reference/Tokenization/CanonicalCharacters.txt
#
# The data are the Unicode Character Database that comes with Perl (5.36: Unicode 14.0), restricted by age. One value has
# changed since 9.0 for an older character: U+0EBA had class 0 then.
use strict;
use warnings;
use Unicode::UCD qw(charinfo);

print "# code point; canonical combining class; canonical decomposition (in '()' when NFC never composes it)\n";
print "# Unicode 9.0, Hangul syllables left out; made by tools/tokenizer/canonical-characters.pl\n";
for my $code (0 .. 0x10FFFF) {
    next if ($code >= 0xAC00 && $code <= 0xD7A3) || ($code >= 0xD800 && $code <= 0xDFFF);
    my $character = chr $code;
    next unless $character =~ /\p{Present_In=9.0}/;
    my $info = charinfo($code) or next;
    my $class = $code == 0x0EBA ? 0 : $info->{combining};
    my $decomposition = $info->{decomposition};
    $decomposition = '' if $decomposition =~ /</;
    next if $class == 0 && $decomposition eq '';
    $decomposition = "($decomposition)"
        if $decomposition ne '' && $character =~ /\p{Full_Composition_Exclusion}/;
    printf "%04X;%d;%s\n", $code, $class, $decomposition;
}
