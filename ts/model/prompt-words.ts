import { Draws, purposes } from '../data/corpus/draws.js';
import { embeddedWords } from './decisions.js';
import { promptEmbeddings } from './prompt-encoder.js';
import type { Network } from './transformer.js';

/** Words that prompts begin from have ids below this: the frequent ones (`init_embedding` of the original's `model/prompt.py`). */
const frequentWords = 5000;

/**
 * Lets the embeddings of a model's prompts begin as mixtures of two words', in a ratio of its own each: one of the frequent words,
 * and one of a task. A function of the seed.
 */
export async function beginAsWords(network: Network, taskWords: Int32Array, seed: number): Promise<void> {
  const { device, config, parameters } = network;
  const embeddings = parameters.get(promptEmbeddings);
  const mixtures = Array.from({ length: embeddings.shape[0]! }, (_, i) => {
    const draws = new Draws(seed, i, purposes.split); // fine-tuning splits no corpus
    return {
      frequent: draws.below(Math.min(frequentWords, config.vocab_size)),
      ofTask: taskWords[draws.below(taskWords.length)]!,
      ratio: draws.fraction(),
    };
  });
  const read = async (words: number[]) => {
    const rows = embeddedWords(device, parameters.get('word_embeddings.weight'), Int32Array.from(words));
    const pending = rows.read();
    rows.dispose();
    return (await pending) as Float32Array;
  };
  const [frequent, ofTask] = await Promise.all([
    read(mixtures.map((mixture) => mixture.frequent)),
    read(mixtures.map((mixture) => mixture.ofTask)),
  ]);
  const width = config.hidden_size;
  const mixed = frequent.map((value, i) => {
    const { ratio } = mixtures[Math.floor(i / width)]!;
    return ratio * value + (1 - ratio) * ofTask[i]!;
  });
  embeddings.write(mixed);
}
