import { BlankInfilling } from '../../ts/data/blank-infilling.js';
import type { Batch } from '../../ts/data/batch.js';

const special = { pad: 0, eos: 0, cls: 101, sep: 102, unk: 100, mask: 103, sop: 30522, eop: 30523 };

/** Random tokens with blanks as pretraining has them: `examples` rows of `length` tokens, 15 % of them in spans. */
export function blankBatch(examples: number, length: number, seed = 0): Promise<Batch> {
  const objective = new BlankInfilling({
    special,
    maxLength: length,
    mix: { blank: 1 },
  });
  let state = 12345;
  const token = () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return 1000 + ((state >>> 8) % 29000);
  };
  const rows = Array.from({ length: examples }, () => Int32Array.from({ length: length - 1 }, token));
  return objective.batch(rows, { seed, index: 0 });
}
