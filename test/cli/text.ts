import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** A folder of made-up text with enough different words for a small vocabulary, and the configuration of a tiny model. */
export async function textAndModel(folder: string): Promise<{ texts: string; config: string }> {
  const texts = path.join(folder, 'texts');
  const config = path.join(folder, 'tiny.json');
  await mkdir(texts);
  const words = Array.from({ length: 300 }, (_, i) => `w${((i * 7919) % 9973).toString(36)}`);
  for (const name of ['a.txt', 'b.txt']) {
    const sentences = Array.from({ length: 120 }, (_, i) => {
      const picked = Array.from(
        { length: 9 },
        (_, j) => words[(i * 31 + j * j * 17 + name.charCodeAt(0)) % 300],
      );
      return `${picked.join(' ')}.${i % 4 === 3 ? '\n\n' : ' '}`;
    });
    await writeFile(path.join(texts, name), sentences.join(''));
  }
  const model = {
    num_layers: 1,
    hidden_size: 16,
    num_attention_heads: 2,
    vocab_size: 640,
    max_sequence_length: 48,
  };
  await writeFile(config, JSON.stringify(model));
  return { texts, config };
}
