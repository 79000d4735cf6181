import type { Batch } from '../../ts/data/batch.js';
import type { BlankInfillingOptions } from '../../ts/index.js';

/** A way of pretraining that is compared with the others. */
export interface Variant {
  description: string;
  /** What differs from the first variant. */
  objective: Pick<BlankInfillingOptions, 'shuffle' | 'blockPositions' | 'sentinels'>;
  /** An example as a model sees it that was pretrained this way. */
  seen: (batch: Batch, maxLength: number) => Batch;
}

const vocabularyOfText = 4096;
/** More than an example has blanks. */
const sentinels = 64;

/** Of the tokenizer, and of the model: behind the words, a mask and a start-of-piece for each sentinel. */
export const vocabulary = { tokenizer: vocabularyOfText, model: vocabularyOfText + 2 * sentinels };

const asItIs = (batch: Batch) => batch;

/** Short blanks and long documents, half and half (paper, section 2.2), and what section 3.4 takes away from that. */
export const variants: Readonly<Record<string, Variant>> = {
  glm: {
    description: 'blanks and documents, half and half; spans in shuffled order, two positions',
    objective: {},
    seen: asItIs,
  },
  'no-shuffle': {
    description: 'spans in the order of the text',
    objective: { shuffle: false },
    seen: asItIs,
  },
  sentinels: {
    description: 'spans are told apart by tokens of their own, not by the position of their blank',
    objective: {
      sentinels: {
        mask: Array.from({ length: sentinels }, (_, i) => vocabularyOfText + i),
        sop: Array.from({ length: sentinels }, (_, i) => vocabularyOfText + sentinels + i),
      },
    },
    seen: (batch, maxLength) => ({
      ...batch,
      positions: batch.positions.map((position, i) => (batch.blockPositions[i]! > 0 ? maxLength : position)),
    }),
  },
  'no-block-positions': {
    description: 'tokens of a span are not numbered',
    objective: { blockPositions: false },
    seen: (batch) => ({ ...batch, blockPositions: batch.blockPositions.map((place) => Math.min(place, 1)) }),
  },
};
