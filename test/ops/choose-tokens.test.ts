/** The tokens that each device chooses from rows of logits, against the definition in float64. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { testDevices } from '../support/devices.js';
import { TestRandom } from '../support/random.js';
import { Matrix, at } from '../support/reference/matrix.js';
import { philox } from '../support/reference/philox.js';
import { toBfloat16 } from '../support/reference/precision.js';
import { poisonFreeMemory, upload, type ActivationType } from '../support/tensors.js';

interface Choice {
  count?: number;
  temperature?: number;
  topK?: number;
  topP?: number;
  forbidden?: number[];
}

interface Chosen {
  ids: number[];
  logprobs: number[];
}

const limitBelow = 3; // as many of the last ids are never chosen

/** The definition: sorted, cut, drawn in the order of ids. */
function expected(
  logits: ArrayLike<number>,
  { count = 1, temperature = 0, topK = 0, topP = 1, forbidden = [] }: Choice,
  seed: number,
  token: number,
  blank: number,
): Chosen {
  const values = Array.from(logits);
  if (!values.every(Number.isFinite))
    return { ids: Array<number>(count).fill(-1), logprobs: Array<number>(count).fill(-Infinity) };
  const largest = values.reduce((a, b) => Math.max(a, b));
  const normalizer = largest + Math.log(values.reduce((sum, z) => sum + Math.exp(z - largest), 0));
  let order = values
    .map((_, id) => id)
    .filter((id) => id < values.length - limitBelow && !forbidden.includes(id))
    .sort((a, b) => at(values, b) - at(values, a) || a - b);
  if (temperature === 0) order = order.slice(0, count);
  else if (order.length > 0) {
    const top = at(values, order[0] as number);
    const weight = (id: number): number => Math.exp((at(values, id) - top) / temperature);
    const keepFrom = (last: number): void => {
      order = order.filter((id) => at(values, id) >= at(values, last));
    };
    if (topK > 0 && topK < order.length) keepFrom(order[topK - 1] as number);
    const total = order.reduce((sum, id) => sum + weight(id), 0);
    let reached = 0;
    const last = order.find((id) => (reached += weight(id)) >= topP * total);
    if (topP < 1 && last !== undefined) keepFrom(last);
    order.sort((a, b) => a - b);
    const kept = order.reduce((sum, id) => sum + weight(id), 0);
    const [high = 0, low = 0] = philox(seed, token, blank);
    const uniform = (high * 2 ** 21 + Math.floor(low / 2 ** 11)) / 2 ** 53;
    let sum = 0;
    order = [order.find((id) => (sum += weight(id)) > uniform * kept) ?? (order.at(-1) as number)];
  }
  const ids = Array.from({ length: count }, (_, i) => order[i] ?? -2);
  return { ids, logprobs: ids.map((id) => (id < 0 ? -Infinity : at(values, id) - normalizer)) };
}

/** Rows with many equal numbers, too. */
function randomLogits(vocabulary: number, type: ActivationType, rows: number): Matrix {
  const random = new TestRandom(vocabulary + rows);
  const round = type === 'bfloat16' ? toBfloat16 : Math.fround;
  return Matrix.build(rows, vocabulary, () => round(Math.round(random.normal() * 40) / 10));
}

const choices: Choice[] = [
  {},
  { count: 7 },
  { count: 40, forbidden: [0, 5, 7] },
  { temperature: 1 },
  { temperature: 0.3, topK: 5 },
  { temperature: 2, topP: 0.7 },
  { temperature: 1.5, topK: 20, topP: 0.5, forbidden: [1, 2, 3, 4, 5, 6, 7, 8, 9] },
  { temperature: 1, topP: 0.001 },
  { temperature: 1, topK: 1 },
];

const tests = suite('choose tokens');
for (const device of testDevices) {
  for (const [vocabulary, type] of [
    [13, 'float32'],
    [64, 'bfloat16'],
    [1500, 'float32'],
    [2051, 'bfloat16'],
  ] as const) {
    const name = `${vocabulary} logits, ${type} on ${device.name}`;
    if (device.missing !== undefined) {
      tests.skip(`${name}: ${device.missing}`);
      continue;
    }
    tests(name, async () => {
      // Each way of choosing for several draws, and rows from which nothing can be chosen.
      const rows: Choice[] = [...choices, ...choices, ...choices, { count: 2 }, { temperature: 1 }];
      const logits = randomLogits(vocabulary, type, rows.length);
      const everything = Array.from({ length: vocabulary }, (_, id) => id);
      rows.push({ count: 2, forbidden: everything }, { temperature: 1, forbidden: everything });
      const all = new Matrix(rows.length, vocabulary, [
        ...logits.data,
        ...logits.data.subarray(0, 2 * vocabulary),
      ]);
      all.set(rows.length - 4, vocabulary - 1, NaN);
      all.set(rows.length - 3, 0, Infinity);

      const native = device.open(2);
      const tensor = upload(native, all, { type });
      poisonFreeMemory(native);
      const forbiddenOffsets = [0];
      for (const { forbidden = [] } of rows)
        forbiddenOffsets.push((forbiddenOffsets.at(-1) ?? 0) + forbidden.length);
      const found = await native.chooseTokens(tensor, {
        limit: vocabulary - limitBelow,
        counts: Int32Array.from(rows, ({ count = 1 }) => count),
        temperatures: Float32Array.from(rows, ({ temperature = 0 }) => temperature),
        topK: Int32Array.from(rows, ({ topK = 0 }) => topK),
        topP: Float32Array.from(rows, ({ topP = 1 }) => topP),
        seeds: Int32Array.from(rows.flatMap((_, row) => [row + 7, 0])),
        draws: Int32Array.from(rows.flatMap((_, row) => [row % 3, row])),
        forbiddenOffsets: Int32Array.from(forbiddenOffsets),
        forbidden: Int32Array.from(rows.flatMap(({ forbidden = [] }) => forbidden)),
      });
      tensor.dispose();

      let first = 0;
      for (const [row, choice] of rows.entries()) {
        const { ids, logprobs } = expected(
          all.data.subarray(row * vocabulary, (row + 1) * vocabulary),
          {
            ...choice,
            temperature: Math.fround(choice.temperature ?? 0),
            topP: Math.fround(choice.topP ?? 1),
          },
          row + 7,
          row,
          row % 3,
        );
        const what = `row ${row}, ${JSON.stringify(choice).slice(0, 80)}`;
        assert.equal([...found.ids.subarray(first, first + ids.length)], ids, what);
        for (const [i, logprob] of logprobs.entries()) {
          const difference = found.logprobs[first + i]! - logprob;
          assert.ok(
            logprob === found.logprobs[first + i] || Math.abs(difference) < 2e-6,
            `${what}: ${difference}`,
          );
        }
        first += ids.length;
      }
    });
  }
}
tests.run();
