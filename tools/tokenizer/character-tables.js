// What Hugging Face's tokenizers know of every code point: how the split pattern classes it, and its NFC. Prints the two
// SHA-256 that tests/RingFlash.Reference.Tests/Tokenization/CharacterTables.cs compares with.
//
//   npm install
//   node character-tables.js TOKENIZER.json
'use strict';
const crypto = require('crypto');
const { Tokenizer } = require('tokenizers');

const tokenizer = Tokenizer.fromFile(process.argv[2]);
const splitter = tokenizer.getPreTokenizer(), normalizer = tokenizer.getNormalizer();
const pieces = text => splitter.preTokenizeString(text).length;
const classes = crypto.createHash('sha256'), forms = crypto.createHash('sha256');
for (let code = 1; code < 0x110000; code++) {
  if (code >= 0xD800 && code < 0xE000) continue;
  const character = String.fromCodePoint(code);

  // Between letters: a letter makes one piece of all, a number three; the others go with what follows.
  const between = pieces('a' + character + 'b');
const other = () => pieces('!' + character) === 2 ? 'S' : 'O';
  classes.update('\r\n'.includes(character) ? 'B' : between === 1 ? 'L' : between === 3 ? 'N' : other());
  forms.update(normalizer.normalizeString(character) + '\n');
  forms.update(normalizer.normalizeString('a' + character + '\u0327' + character + '\u0301') + '\n');
}

console.log('classes', classes.digest('hex'));
console.log('forms  ', forms.digest('hex'));
