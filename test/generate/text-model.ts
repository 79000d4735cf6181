/** A model with a tokenizer, small enough to make for a test. Its weights are random: it writes any bytes. */

import { writeFile } from 'node:fs/promises';
import path from 'node:path';

import { GLM } from '../../ts/glm.js';
import { Tokenizer } from '../../ts/text/tokenizer.js';
import { withFolder } from '../support/folder.js';

const text = `The river rose all night, and by morning the road was gone. Nobody in the village had seen such water before.
Die Brücke über den Fluss war schmal; 河水整夜上涨，天亮时道路已经消失了。 Ça va être difficile, said the old man.\n`;

export function textTokenizer(type: 'bpe' | 'wordpiece'): Promise<Tokenizer> {
  return withFolder(async (folder) => {
    const file = path.join(folder, 'text.txt');
    await writeFile(file, text.repeat(20));
    return Tokenizer.train(file, { type, vocabSize: type === 'bpe' ? 400 : 320 });
  });
}

export async function textModel(type: 'bpe' | 'wordpiece'): Promise<GLM> {
  const tokenizer = await textTokenizer(type);
  // More rows than the tokenizer has tokens, as in the published models.
  const vocab_size = tokenizer.vocabSize + 40;
  const sizes = {
    num_layers: 2,
    hidden_size: 64,
    num_attention_heads: 4,
    vocab_size,
    max_sequence_length: 256,
  };
  return GLM.create({ ...sizes, initializer_range: 0.3 }, { device: 'cpu', seed: 3, tokenizer });
}
