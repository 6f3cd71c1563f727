// Random conversations, rendered from the published templates by Hugging Face's own Jinja.
//
//   npm install
//   node chats.js TEMPLATES.json COUNT SEED > chats.jsonl
//
// TEMPLATES.json is {"NAME": "TEXT OF THE TEMPLATE", …}.
'use strict';
const { Template } = require('@huggingface/jinja');

const [file, count, seed] = process.argv.slice(2);
const templates = Object.entries(JSON.parse(require('fs').readFileSync(file, 'utf8')))
  .map(([name, text]) => [name, new Template(text)]);

let state = BigInt(seed) * 0x9E3779B97F4A7C15n + 1n & 0xFFFFFFFFFFFFFFFFn;
const below = limit => {
  state ^= state << 13n & 0xFFFFFFFFFFFFFFFFn;
  state ^= state >> 7n;
  state ^= state << 17n & 0xFFFFFFFFFFFFFFFFn;
  return Number((state >> 11n) % BigInt(limit));
};
const pick = list => list[below(list.length)];

const PARTS = ['Hello', ' ', '\n', '\n\n', '\t', '\u00a0', '\ufeff', '\u0085', '\u3000', '<think>', '</think>', '<think>\n', '\n</think>\n\n',
  '<tool_response>', '</tool_response>', '<role>HUMAN</role>', '<|role_end|>', '안녕', '🙂', '"', '\\', "'", '{}', '17*23',
  'answer', 'because', '  ', '\r\n', '\v', '\u2028', '</think', '&lt;', '{{ x }}', '{% if %}'];
const text = () => {
  if (below(6) === 0) return '<tool_response>' + words() + '</tool_response>';
  if (below(4) === 0) return pick(['', '\n', ' ']) + '<think>' + words() + '</think>' + words();
  return words();
};
const words = () => Array.from({ length: below(7) }, () => pick(PARTS)).join('');
const json = depth => {
  switch (below(depth > 2 ? 6 : 8)) {
    case 0: return below(2000) - 1000;
    case 1: return pick([0.5, -1.25, 3.75, 1e300, 123456.789, 0.0001]);
    case 2: return pick([true, false, null]);
    case 6: return Array.from({ length: below(4) }, () => json(depth + 1));
    case 7: return Object.fromEntries(Array.from({ length: below(4) }, () => [words() + below(9), json(depth + 1)]));
    default: return words() + pick(['', '\u0001', '\u001f', '\u007f', '\b\f', 'é', '서울', '\u2029']);
  }
};
const call = () => {
  const body = { name: 'f' + words(), arguments: below(3) ? json(0) : JSON.stringify(json(0)) };
  return below(5) ? { id: 'c1', type: 'function', function: body } : body;
};
const message = (index, loose) => {
  const role = index === 0 && below(2) ? 'system' : pick(['user', 'user', 'assistant', 'assistant', 'tool', 'system', 'developer']);
  const made = { role, content: text() };
  if (loose && (role === 'assistant' || role === 'tool') && below(8) === 0) made.content = null;
  if (role === 'assistant' && below(3) === 0) made.reasoning_content = below(9) ? words() : null;
  if (role === 'assistant' && below(3) === 0) made.tool_calls = Array.from({ length: below(4) }, call);
  return made;
};

for (let line = 0; line < Number(count); line++) {
  const [template, compiled] = templates[line % templates.length];
  const loose = template.startsWith('ling');
  const messages = Array.from({ length: 1 + below(8) }, (_, index) => message(index, loose));
  const tools = below(3) ? null : Array.from({ length: below(3) }, () => ({ type: 'function', function: json(0), extra: json(0) }));
  const input = { messages, add_generation_prompt: below(2) === 0, tools };
  console.log(JSON.stringify({ template, ...input, rendered: compiled.render(input) }));
}
