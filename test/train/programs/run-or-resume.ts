/** Starts the small run in a folder, or goes on with it: `run-or-resume.ts FOLDER STEPS`. */

import { existsSync } from 'node:fs';
import path from 'node:path';

import { Trainer } from '../../../ts/train/trainer.js';
import { data, newModel, runOptions } from '../../support/small-run.js';

const [folder = '', steps = ''] = process.argv.slice(2);
const trainer = existsSync(path.join(folder, 'checkpoints'))
  ? await Trainer.resume(folder, { data }).catch(fresh)
  : await fresh();
for await (const event of trainer.run()) console.log(event.type, event.step);

/** Killed before the first checkpoint. */
async function fresh(error?: Error & { code?: string }): Promise<Trainer> {
  if (error !== undefined && error.code !== 'GLM_IO') throw error;
  return new Trainer(await newModel(), runOptions(folder, Number(steps)));
}
