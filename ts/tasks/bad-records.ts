import { GlmError } from '../errors.js';

/** Throws at the first record that says something wrong, or counts them. */
export class BadRecords {
  readonly #skip: boolean;
  /** A record may be met again in each epoch; its error names its place. */
  readonly #errors = new Set<string>();

  constructor(skip: boolean) {
    this.#skip = skip;
  }

  get count(): number {
    return this.#errors.size;
  }

  readonly add = (error: unknown): void => {
    if (!this.#skip || !(error instanceof GlmError) || !countable.includes(error.code)) throw error;
    this.#errors.add(error.message);
  };

  /** The error of data of which nothing is left; where records were left out, it says why the last one was. */
  nothingLeft(expected: string): GlmError {
    const last = [...this.#errors].at(-1);
    const why = last === undefined ? '' : ` but ${this.count} that are left out, the last because: ${last}`;
    return new GlmError('GLM_DATA', `expected ${expected}, found none${why}`);
  }
}

/** Errors that are about one record. */
const countable: readonly string[] = ['GLM_DATA', 'GLM_TOKENIZER', 'GLM_NO_MASK', 'GLM_CONTEXT_LENGTH'];
