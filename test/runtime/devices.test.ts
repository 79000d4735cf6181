/** Which devices there are, and how one is chosen. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { type DeviceOptions, devices, openDevice } from '../../ts/devices.js';
import type { GlmErrorCode } from '../../ts/errors.js';
import { GLM } from '../../ts/glm.js';
import { testDevices } from '../support/devices.js';
import { failsWith } from '../support/fails-with.js';

const choosing = suite('runtime: devices');
const [cpu, ...gpus] = devices();
const usable = gpus.filter(({ available }) => available);

choosing('the CPU comes first, and every device that cannot be used says why', () => {
  assert.is(cpu!.name, 'cpu');
  assert.ok(cpu!.available && cpu!.memoryBytes! > 0);
  assert.ok(gpus.length > 0);
  for (const [index, gpu] of gpus.entries()) {
    assert.is(gpu.name, `cuda:${index}`);
    assert.is(gpu.available, gpu.reason === undefined);
    if (gpu.available) assert.match(gpu.computeCapability!, /^\d+\.\d$/);
    else assert.ok(gpu.reason!.length > 20, gpu.reason);
  }
});

choosing('auto is the first GPU that can be used, else the CPU', () => {
  const first = usable[0]?.name ?? 'cpu';
  assert.is(openDevice({}).name, first);
  assert.is(openDevice({ device: 'auto' }).name, first);
  assert.is(openDevice({ device: 'auto', instructionSet: 'generic' }).name, 'cpu');
  assert.is(openDevice({ device: 'cpu' }).name, 'cpu');
});

choosing('a GPU is opened by its number', () => {
  for (const { name } of usable) assert.is(openDevice({ device: name }).name, name);
  if (usable[0]?.name === 'cuda:0') assert.is(openDevice({ device: 'cuda' }).name, 'cuda:0');
});

choosing('devices that there are not are said', async () => {
  const cases: [DeviceOptions, GlmErrorCode, RegExp][] = [
    [{ device: 'cuda:999' }, 'GLM_CUDA_UNAVAILABLE', /cuda:999/],
    [{ device: 'gpu' as 'cuda' }, 'GLM_INVALID_ARGUMENT', /auto, cpu, cuda or cuda:1, found "gpu"/],
    [{ device: 'cuda:x' as 'cuda' }, 'GLM_INVALID_ARGUMENT', /found "cuda:x"/],
    [{ device: 'cuda', instructionSet: 'avx2' }, 'GLM_INVALID_ARGUMENT', /instructionSet/],
  ];
  for (const [options, code, message] of cases) {
    await failsWith(code, message, () => GLM.create('glm-tiny', options));
  }
});

for (const { name, missing } of testDevices.filter((device) => device.name === 'cuda')) {
  const title = 'a GPU that is here is used';
  if (missing !== undefined) choosing.skip(`${title} (${name}: ${missing})`);
  else choosing(title, () => assert.ok(usable.length > 0));
}

choosing.run();
