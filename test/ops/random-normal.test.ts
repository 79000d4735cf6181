import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import type { HostArray, NativeDevice } from '../../ts/native.js';
import { assertSameBits, largestError } from '../support/close.js';
import { testDevices } from '../support/devices.js';
import { at } from '../support/reference/matrix.js';
import { randomNormal } from '../support/reference/random-normal.js';
import { numbers } from '../support/tensors.js';

const options = { mean: 0.25, deviation: 2, seed: 2 ** 40 + 3, site: 2 ** 33 + 9 };
const normal = suite('normal');
const available = testDevices.filter(({ missing }) => missing === undefined);

function draw(
  device: NativeDevice,
  elements: number,
  more: Partial<typeof options> = {},
): Promise<HostArray> {
  const tensor = device.normal([elements], { ...options, ...more, requiresGradient: false });
  const values = tensor.read();
  tensor.dispose();
  return values;
}

for (const device of testDevices) {
  if (device.missing !== undefined) {
    normal.skip(`normal on ${device.name}: ${device.missing}`);
    continue;
  }
  for (const elements of [1, 63, 64, 65, 20_001]) {
    normal(`normal, ${elements} elements on ${device.name}`, async () => {
      const found = await draw(device.open(1), elements);
      // u has 24 bits: where the radius r is small, and u about 1, its rounding moves r by 3e-8 / r. No r here is below 0.003.
      const error = largestError(numbers(found), randomNormal(elements, options).data);
      assert.ok(error <= 1e-5 * options.deviation, `largest error ${error}`);
      for (const threads of device.threads) {
        assertSameBits(`${threads} threads`, await draw(device.open(threads), elements), found);
      }
    });
  }
}

normal('normal gives the same bits on every device', async () => {
  const [first, ...others] = await Promise.all(available.map((device) => draw(device.open(2), 20_001)));
  for (const other of others) assertSameBits('normal', other, first as HostArray);
});

normal(
  'normal has the moments of a normal distribution, and another seed or site gives other numbers',
  async () => {
    const count = 200_000;
    const device = (available[0] ?? assert.unreachable()) as (typeof available)[number];
    const standard = { mean: 0, deviation: 1 };
    const values = numbers(await draw(device.open(2), count, standard));
    const moment = (power: number): number => values.reduce((sum, x) => sum + x ** power, 0) / count;
    // Four standard errors: of the mean 1 / sqrt(n), of the square sqrt(2 / n), of the cube sqrt(15 / n), of the fourth power sqrt(96 / n).
    const allowed = 4 / Math.sqrt(count);
    assert.ok(Math.abs(moment(1)) < allowed, 'mean');
    assert.ok(Math.abs(moment(2) - 1) < allowed * Math.sqrt(2), 'variance');
    assert.ok(Math.abs(moment(3)) < allowed * Math.sqrt(15), 'skewness');
    assert.ok(Math.abs(moment(4) - 3) < allowed * Math.sqrt(96), 'kurtosis');

    for (const other of [{ seed: 1 }, { site: 1 }]) {
      const others = numbers(await draw(device.open(2), count, { ...standard, ...other }));
      const correlation = values.reduce((sum, x, i) => sum + x * at(others, i), 0) / count;
      assert.ok(Math.abs(correlation) < allowed, Object.keys(other).join());
    }
  },
);

normal.run();
