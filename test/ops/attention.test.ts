import { suite } from 'uvu';

import { rotaryTable } from '../../ts/model/rotary.js';
import { record } from '../../ts/tensor/scope.js';
import { assertGradient, weighted } from '../support/finite-differences.js';
import { opTable, type OpCase } from '../support/op-table.js';
import { TestRandom } from '../support/random.js';
import { attention, attentionBackward, type AttentionInputs } from '../support/reference/attention.js';
import { Matrix } from '../support/reference/matrix.js';
import { exact } from '../support/reference/precision.js';
import { attentionHeads, packedBatches, type Example } from '../support/sizes.js';
import {
  poisonFreeMemory,
  randomMatrix,
  tokensOf,
  upload,
  uploadBatch,
  type ActivationType,
} from '../support/tensors.js';

const positions = 40;

interface Options {
  rotary?: boolean;
  dropout?: number;
  type?: ActivationType;
}

function makeInputs(examples: readonly Example[], heads: number, headWidth: number, options: Options) {
  const { type = 'float32', rotary, dropout } = options;
  const tokens = tokensOf(examples);
  const random = new TestRandom(tokens * 1000 + headWidth);
  const inputs: AttentionInputs = {
    examples,
    heads,
    qkv: randomMatrix(random, tokens, 3 * heads * headWidth, type),
    rotary: rotary ? new Matrix(positions, headWidth / 2, rotaryTable(positions, headWidth)) : undefined,
    positions: random.integers(tokens, positions),
    blockPositions: random.integers(tokens, positions),
    dropout: dropout === undefined ? undefined : { probability: dropout, seed: 11, site: 2 ** 35 },
  };
  return { inputs, gradOut: randomMatrix(random, tokens, heads * headWidth, type) };
}

function attentionCase(
  examples: readonly Example[],
  [heads, headWidth]: readonly [number, number],
  options: Options = {},
): OpCase {
  const { inputs, gradOut } = makeInputs(examples, heads, headWidth, options);
  const { type = 'float32', ...parts } = options;
  const shape = `${examples.map(({ length, context }) => `${context} of ${length}`).join(' + ')}, ${heads} × ${headWidth}`;
  return {
    name: [shape, ...Object.keys(parts)].join(', '),
    type,
    run(device) {
      const batch = uploadBatch(device, examples, inputs);
      const qkv = upload(device, inputs.qkv, { type, gradient: true });
      const rotary = inputs.rotary && upload(device, inputs.rotary, { shape: [positions, headWidth / 4, 2] });
      const gradient = upload(device, gradOut, { type });
      poisonFreeMemory(device);
      return record(device, () => {
        const out = device.attention(batch, qkv, { heads, rotary, dropout: inputs.dropout });
        const result = out.read();
        device.backward(out, gradient);
        return { out: result, gradQkv: qkv.readGradient() };
      });
    },
    reference: (precision) => ({
      out: attention(inputs, precision),
      gradQkv: attentionBackward(inputs, gradOut, precision),
    }),
  };
}

const ragged = packedBatches[2] as readonly Example[];
const long = packedBatches[3] as readonly Example[];
/** More than two tiles of a GPU's matrix units, without a context, with nothing else, and in between. */
const longer: readonly Example[] = [
  { length: 290, context: 0 },
  { length: 33, context: 33 },
  { length: 261, context: 150 },
];

opTable('attention', [
  ...packedBatches.map((examples) => attentionCase(examples, [2, 16])),
  ...attentionHeads.map((heads) => attentionCase(ragged, heads)),
  attentionCase(ragged, [2, 64], { type: 'bfloat16' }),
  attentionCase(long, [3, 13], { type: 'bfloat16' }),
  attentionCase(ragged, [2, 16], { rotary: true }),
  attentionCase(ragged, [1, 72], { rotary: true, type: 'bfloat16' }),
  attentionCase(long, [2, 16], { dropout: 0.3 }),
  attentionCase(ragged, [2, 64], { dropout: 0.1, type: 'bfloat16' }),
  attentionCase(long, [1, 64], { dropout: 0.5, rotary: true }),
  attentionCase(ragged, [1, 260]),
  attentionCase(longer, [1, 64], { type: 'bfloat16' }),
  attentionCase(longer, [1, 128], { dropout: 0.1, type: 'bfloat16' }),
  attentionCase(ragged, [2, 128], { rotary: true, type: 'bfloat16' }),
  attentionCase(long, [3, 64], { dropout: 0.3, rotary: true, type: 'bfloat16' }),
  attentionCase(long, [1, 128], { dropout: 0.5, rotary: true, type: 'bfloat16' }),
]);

const reference = suite('attention, the reference');
for (const options of [{}, { rotary: true, dropout: 0.3 }]) {
  reference(`its gradients are the finite differences, ${Object.keys(options).join(', ') || 'plain'}`, () => {
    const examples = [
      { length: 4, context: 2 },
      { length: 3, context: 0 },
    ];
    const { inputs, gradOut } = makeInputs(examples, 2, 4, options);
    const value = (): number => weighted(attention(inputs, exact), gradOut);
    assertGradient('qkv', inputs.qkv, value, attentionBackward(inputs, gradOut, exact));
  });
}
reference.run();
