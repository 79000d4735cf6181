/** A model that is small enough to be fine-tuned in a test, with a vocabulary of the data it is fine-tuned on. */

import { writeFile } from 'node:fs/promises';
import path from 'node:path';

import { GLM } from '../../ts/glm.js';
import { Tokenizer } from '../../ts/text/tokenizer.js';
import { withFolder } from '../support/folder.js';

/** @param words texts that are to be tokens, as far as the size allows */
export function tinyTokenizer(texts: readonly string[], words: readonly string[] = []): Promise<Tokenizer> {
  return withFolder(async (folder) => {
    const file = path.join(folder, 'texts.txt');
    await writeFile(
      file,
      [...texts, ...words.flatMap((word) => Array<string>(50).fill(`so${word} it`))].join('\n'),
    );
    return Tokenizer.train(file, { type: 'bpe', vocabSize: 1200 });
  });
}

export function tinyModel(tokenizer: Tokenizer, seed = 1): Promise<GLM> {
  const sizes = { num_layers: 1, hidden_size: 48, num_attention_heads: 2, max_sequence_length: 384 };
  const vocab_size = Math.ceil(tokenizer.vocabSize / 64) * 64;
  return GLM.create({ ...sizes, vocab_size }, { device: 'cpu', threads: 2, seed, tokenizer });
}
