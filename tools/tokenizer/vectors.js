// Parity vectors: random texts, and what Hugging Face's Rust tokenizers (through their Node binding) make of them.
//
//   npm install
//   node vectors.js TOKENIZER.json COUNT SEED > vectors.jsonl
'use strict';
const { Tokenizer } = require('tokenizers');

const [file, count, seed] = process.argv.slice(2);
const tokenizer = Tokenizer.fromFile(file);
const added = JSON.parse(require('fs').readFileSync(file, 'utf8')).added_tokens.map(token => token.content);

// xorshift, so that a seed gives the same file everywhere
let state = BigInt(seed) * 0x9E3779B97F4A7C15n + 1n & 0xFFFFFFFFFFFFFFFFn;
const below = limit => {
  state ^= state << 13n & 0xFFFFFFFFFFFFFFFFn;
  state ^= state >> 7n;
  state ^= state << 17n & 0xFFFFFFFFFFFFFFFFn;
  return Number((state >> 11n) % BigInt(limit));
};
const pick = list => list[below(list.length)];
const range = (first, last) => String.fromCodePoint(first + below(last - first + 1));
const anyCodePoint = () => {
  for (;;) {
    const code = below(3) ? below(0x30000) : below(0x110000);
    if (code < 0xD800 || code > 0xDFFF) return String.fromCodePoint(code);
  }
};

const WORDS = ['the', 'Hello', 'world', 'think', 'assistant', 'internationalization', 'HUMAN', '안녕하세요', '서울', '你好',
  '世界', 'привет', 'مرحبا', 'नमस्ते', 'สวัสดี', 'Straße', 'naïve', 'don', 'it', 'WE', 'return', 'index', '++', '://'];
const SPACES = [' ', ' ', ' ', '  ', '    ', '\t', '\n', '\r\n', '\r', '\n\n', '\v', '\f', '\u0085', '\u00a0', '\u1680',
  '\u2003', '\u2028', '\u2029', '\u202f', '\u3000', '\u200b', '\ufeff', '\u180e'];
const MAKERS = [
  () => pick(WORDS), () => pick(WORDS), () => ' ' + pick(WORDS), () => pick(SPACES), () => pick(SPACES),
  () => pick(["'s", "'S", "'ll", "'Ll", "'VE", "'re", "'t", "'d", "'m", "'\u017f", "'", "''", "'l", "'v"]),
  () => range(0x20, 0x7e), () => range(0x20, 0x7e), () => range(0, 0x1f), () => range(0x30, 0x39),
  () => pick(['٣', '५', '๗', '７', '²', '½', 'Ⅷ', '𝟗', '一', '㉈', '\u{1F10B}']),
  () => range(0x300, 0x345), () => range(0x591, 0x5bd), () => range(0x64b, 0x652), () => pick(['\u093c', '\u09be', '\u3099']),
  () => range(0xac00, 0xd7a3), () => range(0x1100, 0x1112), () => range(0x1161, 0x1175), () => range(0x11a8, 0x11c2),
  () => range(0xc0, 0x17f), () => range(0x370, 0x52f), () => range(0x900, 0x97f), () => range(0xe01, 0xe5b),
  () => range(0x3040, 0x30ff), () => range(0x4e00, 0x9fff), () => range(0xf900, 0xfaff), () => range(0x1e00, 0x1fff),
  () => range(0x1d400, 0x1d7ff), () => range(0x20000, 0x2a6df), () => range(0x1f300, 0x1faff), () => range(0x2f800, 0x2fa1d),
  () => pick(['👩‍👩‍👧‍👦', '🇰🇷', '👍🏽', '❤️', '\u{10FFFF}', '\ue000', '\uffff', '\ufffe']),
  () => pick(added), () => { const token = pick(added); return token.slice(0, below(token.length + 1)); },
  () => pick(added) + pick(added), () => pick(['...', '?!', '-->', '\\n', '{}', '<|', '|>', '####', '_', '——']),
  anyCodePoint, anyCodePoint, () => range(0x20, 0x7e).repeat(1 + below(20)), () => range(0x61, 0x7a) + range(0x300, 0x36f),
];

(async () => {
  for (let line = 0; line < Number(count); line++) {
    let text = '';
    const length = below(4) ? below(12) : below(60);
    const favourites = [pick(MAKERS), pick(MAKERS), pick(MAKERS)];
    for (let part = 0; part < length; part++) {
      text += below(2) ? pick(favourites)() : pick(MAKERS)();
    }

    text = text.toWellFormed(); // half an emoji of a cut token
    const ids = (await tokenizer.encode(text, null, { addSpecialTokens: false })).getIds();
    const decoded = await tokenizer.decode(ids, false);
    const skipped = await tokenizer.decode(ids, true);
    console.log(JSON.stringify(
      { text, ids, decoded, ...(skipped === decoded ? {} : { decoded_skip_special: skipped }) }));
  }
})();
