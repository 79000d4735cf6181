/**
 * Damaged and hostile files: an error each time, or, where only a weight's bytes were hit, a model. `GLM_FUZZ=100000` for more
 * than the 5,000 of a usual run, and `GLM_FUZZ=100000 npm run sanitize:address -- test/io fuzz` for those under the sanitizers.
 */

import { spawnSync } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { openCheckpoint } from '../../ts/checkpoint/checkpoint.js';
import { loadParameters } from '../../ts/checkpoint/load-parameters.js';
import { GlmError } from '../../ts/errors.js';
import { tinyWeights, toWrite, writeConfig, writeModel, writeTorchModel } from '../support/checkpoint.js';
import { bestCpu } from '../support/devices.js';
import { withFolder } from '../support/folder.js';
import { hostileFiles, hostileSize } from '../support/hostile-files.js';
import { goldenPath } from '../support/golden.js';
import { mutate, type Seeds } from '../support/mutations.js';

const test = suite('damaged and hostile files');
const cases = Number(process.env['GLM_FUZZ'] ?? 5000);

const config = {
  num_layers: 1,
  hidden_size: 8,
  num_attention_heads: 2,
  vocab_size: 12,
  max_sequence_length: 4,
};

async function seedFiles(folder: string): Promise<Seeds> {
  const tensors = toWrite(tinyWeights(config), '', 'F16');
  await writeModel(folder, tensors, config);
  await writeTorchModel(folder, tensors, config);
  return {
    safetensors: await readFile(path.join(folder, 'model.safetensors')),
    torch: await readFile(path.join(folder, 'pytorch_model.bin')),
    legacy: await readFile(goldenPath('torch-legacy.pt')),
  };
}

test(`${cases} files: none is taken that should not be, nothing but a GlmError is thrown`, () =>
  withFolder(async (folder) => {
    const seeds = await seedFiles(folder);
    await writeConfig(folder, config);
    const device = bestCpu(1);
    const outcomes = { refused: 0, loaded: 0 };
    for (let i = 0; i < cases; i++) {
      const { kind, bytes, mustFail } = mutate(i, seeds);
      const file = path.join(folder, `case-${i}`);
      await writeFile(file, bytes);
      try {
        const checkpoint = await openCheckpoint(file);
        const parameters = await loadParameters(device, checkpoint, {}).finally(() => checkpoint.close());
        parameters.dispose();
        assert.not.ok(mustFail, `case ${i} (${kind}) was loaded`);
        outcomes.loaded++;
      } catch (error) {
        if (!(error instanceof GlmError)) throw new Error(`case ${i} (${kind})`, { cause: error });
        outcomes.refused++;
      }
      await rm(file);
    }
    assert.ok(outcomes.refused > cases / 2 && outcomes.loaded > cases / 100, JSON.stringify(outcomes));
  }));

// A sanitizer keeps memory of its own beside what a program asks for.
const underSanitizer = process.env['GLM_SANITIZER'] !== undefined;

for (const [kind, make] of Object.entries(hostileFiles)) {
  test(`${kind}: a hostile file takes less than twice its size`, () =>
    withFolder(async (folder) => {
      const file = path.join(folder, 'hostile');
      await writeFile(file, make());
      const program = path.join(import.meta.dirname, 'programs/open-checkpoint.ts');
      const { stdout, stderr, status } = spawnSync(process.execPath, ['--import', 'tsx', program, file], {
        encoding: 'utf8',
      });
      assert.is(status, 0, stderr);
      const { code, grown } = JSON.parse(stdout) as { code: string; grown: number };
      assert.match(code, /^GLM_(CORRUPT_FILE|CHECKPOINT_FORMAT)$/);
      assert.ok(underSanitizer || grown < 2 * hostileSize, `${grown} bytes`);
    }));
}

test.run();
