// Hugging Face's Rust tokenizers, for TokenizerBenchmark: one thread, document after document.
// npm install --prefix tools/tokenizer; NODE_PATH=tools/tokenizer/node_modules
'use strict';
process.env.RAYON_NUM_THREADS = '1';
process.env.TOKENIZERS_PARALLELISM = 'false';
const fs = require('fs');
const readline = require('readline');
const { Tokenizer } = require('tokenizers');

const [file, documentsFile, idsFile] = process.argv.slice(2);
const documents = JSON.parse(fs.readFileSync(documentsFile, 'utf8'));
const tokenizer = Tokenizer.fromFile(file);
const ids = async document => (await tokenizer.encode(document, null, { addSpecialTokens: false })).getIds();

(async () => {
  const all = [];
  for (const document of documents) all.push(await ids(document));
  fs.writeFileSync(idsFile, JSON.stringify(all));
  console.log(`ready Hugging Face tokenizers ${require('tokenizers/package.json').version} (Node binding), 1 thread`);
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const start = process.hrtime.bigint();
    for (const document of documents) await ids(document);
    console.log(Number(process.hrtime.bigint() - start) / 1e6);
  }
})();
