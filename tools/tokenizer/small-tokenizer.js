// Trains a byte-level BPE tokenizer on the sentences below and prints it in the published format. It is the small
// tokenizer of the tests: our own data, so that they need no published file.
//
//   node small-tokenizer.js > ../../tests/RingFlash.Reference.Tests/Tokenization/Data/tokenizer.json
'use strict';

const SENTENCES = `
the quick brown fox jumps over the lazy dog and then it doesn't think about the other thing that they've said
you are a helpful assistant and you answer the question of the user with the result of the calculation
for (int index = 0; index < length; index++) { return values[index] + 1; } // the end
안녕하세요 오늘 날씨가 어떤가요 서울에서 만나요 감사합니다 안녕히 가세요 오늘도 좋은 하루 되세요
你好世界 你好 今天天气很好 我们在北京 谢谢你们
привет мир как дела сегодня хорошая погода
      indented text        and more      spaces
`;

const MERGES = 224;
const FIRST_ADDED = 256 + MERGES; // Hugging Face numbers added tokens from here, whatever the file says
const ADDED = [
  ['<|startoftext|>', true], ['<|endoftext|>', true], ['[CLS]', true], ['[gMASK]', true], ['<|role_end|>', true],
  ['<|reserved_token_1|>', true], ['<|reserved_token_11|>', true], ['<role>', true], ['</role>', true],
  ['<think>', false], ['</think>', false], ['<think>\n', false], ['한국', false], ['é!', true], ['\u{1F642}', false],
];

const PATTERN =
  "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+";

// GPT-2's letters for bytes.
const letters = [];
for (let value = 0, next = 256; value < 256; value++) {
  const printable = (value > 32 && value < 127) || (value > 160 && value < 173) || value > 173;
  letters.push(String.fromCharCode(printable ? value : next++));
}

const spell = text => [...Buffer.from(text, 'utf8')].map(value => letters[value]);
const words = SENTENCES.split(/(?=[ \n])/).map(spell);
const vocab = Object.fromEntries(letters.map((letter, id) => [letter, id]));
const merges = [];
while (merges.length < MERGES) {
  const counts = new Map();
  for (const word of words) {
    for (let at = 0; at + 1 < word.length; at++) {
      const key = `${word[at]} ${word[at + 1]}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
  }

  // The most frequent pair; of equal ones the first in code-unit order, so that the file can be made again.
  const [best] = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))[0];
  const [left, right] = best.split(' ');
  merges.push([left, right]);
  vocab[left + right] = 256 + merges.length - 1;
  for (const word of words) {
    for (let at = 0; at + 1 < word.length; at++) {
      if (word[at] === left && word[at + 1] === right) {
        word.splice(at, 2, left + right);
      }
    }
  }
}

const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false };
console.log(JSON.stringify({
  version: '1.0',
  truncation: null,
  padding: null,
  added_tokens: ADDED.map(([content, special], index) => ({ id: FIRST_ADDED + index, content, ...flags, special })),
  normalizer: { type: 'NFC' },
  pre_tokenizer: {
    type: 'Sequence',
    pretokenizers: [
      { type: 'Split', pattern: { Regex: PATTERN }, behavior: 'Isolated', invert: false },
      { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
    ],
  },
  post_processor: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: false, use_regex: true },
  decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
  model: {
    type: 'BPE', dropout: null, unk_token: null, continuing_subword_prefix: null, end_of_word_suffix: null,
    fuse_unk: false, byte_fallback: false, ignore_merges: false, vocab, merges,
  },
}));
