import { GlmError } from '../errors.js';

/** Throws at the first record that says something wrong, or counts them. */
export class BadRecords {
  count = 0;
  readonly #skip: boolean;

  constructor(skip: boolean) {
    this.#skip = skip;
  }

  readonly add = (error: unknown): void => {
    if (!this.#skip || !(error instanceof GlmError) || error.code === 'GLM_IO') throw error;
    this.count++;
  };
}
