import { GlmError } from '../../errors.js';
import type { TrainerEvent } from '../../train/events.js';

/** Steps in a row without a finite loss after which a run is given up. */
const mostOverflows = 10;

/** Says so when a run diverges. */
export class Divergence {
  #overflows = 0;

  /** Whether the mean loss of an epoch is so far above that of the first that something other than chance made it rise. */
  static hasRisen(loss: number, first: number): boolean {
    return loss > 2 * first + 1;
  }

  /** Throws `GLM_NUMERIC`. */
  watch(event: TrainerEvent): void {
    if (event.type === 'step') this.#overflows = 0;
    if (event.type !== 'overflow' || ++this.#overflows < mostOverflows) return;
    throw new GlmError(
      'GLM_NUMERIC',
      `expected the loss to stay finite, found ${mostOverflows} steps in a row, up to step ${event.step}, where it or its ` +
        'gradient is not: the fine-tune diverged; lower the learning rate',
    );
  }
}
