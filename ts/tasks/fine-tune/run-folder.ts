/** The folder of a fine-tune: what resuming needs beside the trainer's own checkpoints, the best model, and the result. */

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';

import { writeFileAtomically } from '../../files.js';
import type { GLM } from '../../glm.js';
import { writePredictions } from '../prediction-file.js';
import type { TaskSettings } from '../task.js';
import type { ScoredEpoch } from './options.js';

/** What a run has done, and what it was told. */
export interface RunState {
  task: string;
  seed: number;
  settings: TaskSettings;
  /** Records to learn from: the order of the steps depends on their number. */
  records: number;
  epochs: ScoredEpoch[];
}

/** Where nothing shall be written, `folder` is undefined, and nothing is. */
export class RunFolder {
  readonly #folder: string | undefined;

  constructor(folder: string | undefined) {
    this.#folder = folder;
  }

  /** The state of a run that can go on; undefined where there is none. */
  async readState(): Promise<RunState | undefined> {
    if (this.#folder === undefined || !existsSync(path.join(this.#folder, 'trainer.json'))) return undefined;
    return this.#readJson('fine-tune.json') as Promise<RunState | undefined>;
  }

  async writeState(state: RunState): Promise<void> {
    await this.#write('fine-tune.json', json(state));
  }

  /** @param apart whether all that has learned is additions: they are saved by themselves too */
  async writeBest(model: GLM, predictionLines: readonly string[], apart: boolean): Promise<void> {
    if (this.#folder === undefined) return;
    await model.save(path.join(this.#folder, 'best'));
    if (apart) await model.saveAdapter(path.join(this.#folder, 'best/adapter'));
    await writePredictions(path.join(this.#folder, 'best/predictions.txt'), predictionLines);
  }

  /** Of one run, or of several seeds. */
  async writeResult(result: unknown): Promise<void> {
    await this.#write('result.json', json(result));
  }

  async readResult(): Promise<unknown> {
    return this.#folder === undefined ? undefined : this.#readJson('result.json');
  }

  async #write(name: string, text: string): Promise<void> {
    if (this.#folder !== undefined) await writeFileAtomically(path.join(this.#folder, name), text);
  }

  async #readJson(name: string): Promise<unknown> {
    const text = await readFile(path.join(this.#folder!, name), 'utf8').catch(() => undefined);
    return text === undefined ? undefined : (JSON.parse(text) as unknown);
  }
}

const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
