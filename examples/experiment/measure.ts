import { type BlankInfilling, type Corpus, type GLM, metrics } from '../../ts/index.js';
import { losses } from '../../ts/model/gradients.js';
import { scoreExamples } from '../../ts/tasks/evaluation/score-examples.js';
import { windows } from '../../ts/tasks/evaluation/windows.js';
import type { ExperimentText } from './text.js';
import type { Variant } from './variants.js';

/** Losses are sums over tokens, in natural logarithms. */
export interface LossSum {
  loss: number;
  tokens: number;
}

export interface TextLoss extends LossSum {
  /** Of the tokens by their place behind the context, in groups of `placesTogether`. */
  byPlace: LossSum[];
}

export type Direction = 'bidirectional' | 'unidirectional';

export const placesTogether = 16;
const batchSize = 16;

/**
 * The loss on held-out text, in windows of `maxLength` - 1 tokens each of which is half new (paper, section 3.3). Bidirectional: the
 * half that comes before is the context and is seen as a whole; unidirectional: it is behind the blank as well, and seen from left to
 * right. The scored tokens are the same ones, and each has the same tokens before it.
 */
export async function textLoss(
  model: GLM,
  { heldOutDocuments, tokenizer }: ExperimentText,
  variant: Variant,
  { direction, maxLength }: { direction: Direction; maxLength: number },
): Promise<TextLoss> {
  const fresh = maxLength >> 1;
  const cut = { special: tokenizer.special, direction, sequenceLength: maxLength, overlap: fresh };
  const examples = function* () {
    for (const document of heldOutDocuments)
      for (const window of windows(document, cut)) yield variant.seen(window, maxLength);
  };
  const total: TextLoss = { loss: 0, tokens: 0, byPlace: [] };
  for await (const scored of scoreExamples(model.network, examples(), losses, { batchSize })) {
    let row = 0;
    for (const { lossMask } of scored.examples) {
      const count = lossMask!.reduce((sum, counts) => sum + counts, 0);
      for (let place = 0; place < count; place++) {
        const loss = scored.scores[row++]!;
        add(total, loss);
        // The first window of a document has no half that comes before.
        if (count <= fresh) add((total.byPlace[Math.floor(place / placesTogether)] ??= zero()), loss);
      }
    }
  }
  return total;
}

/** The loss of an objective on held-out samples. */
export async function objectiveLoss(
  model: GLM,
  corpus: Corpus,
  objective: BlankInfilling,
  samples: number,
): Promise<LossSum> {
  const total = zero();
  for (let index = 0; index < samples; index += batchSize) {
    const count = Math.min(batchSize, samples - index);
    const rows = await corpus.rows(index, count, { maxLength: objective.maxLength, seed: 0 });
    const { loss, tokens } = await model.loss(await objective.batch(rows, { seed: 0, index }));
    total.loss += loss * tokens;
    total.tokens += tokens;
  }
  return total;
}

export const { perplexity } = metrics;

const zero = (): LossSum => ({ loss: 0, tokens: 0 });

function add(sum: LossSum, loss: number): void {
  sum.loss += loss;
  sum.tokens++;
}
