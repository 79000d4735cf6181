import { suite } from 'uvu';

import { record } from '../../ts/tensor/scope.js';
import { assertGradient, weighted } from '../support/finite-differences.js';
import { opTable, type OpCase } from '../support/op-table.js';
import { TestRandom } from '../support/random.js';
import { embedding, embeddingBackward, type EmbeddingInputs } from '../support/reference/embedding.js';
import { Matrix } from '../support/reference/matrix.js';
import { exact } from '../support/reference/precision.js';
import { matrixSizes } from '../support/sizes.js';
import {
  poisonFreeMemory,
  randomMatrix,
  upload,
  uploadBatch,
  type ActivationType,
} from '../support/tensors.js';

const vocabulary = 23;
const positions = 9;

interface Options {
  tables?: 'both' | 'position' | 'none';
  dropout?: number;
  type?: ActivationType;
  /** Of the words. */
  frozen?: boolean;
  prompts?: number;
}

function makeInputs(tokens: number, width: number, { tables = 'both', dropout, prompts = 0 }: Options) {
  const random = new TestRandom(tokens * 1000 + width);
  const inputs: EmbeddingInputs = {
    ids: random.integers(tokens, vocabulary + prompts),
    positions: random.integers(tokens, positions),
    blockPositions: random.integers(tokens, positions),
    words: randomMatrix(random, vocabulary, width),
    prompts: prompts === 0 ? undefined : randomMatrix(random, prompts, width),
    positionTable: tables === 'none' ? undefined : randomMatrix(random, positions, width),
    blockTable: tables === 'both' ? randomMatrix(random, positions, width) : undefined,
    dropout:
      dropout === undefined ? undefined : { probability: dropout, seed: 2 ** 33 + 5, site: 2 ** 40 + tokens },
  };
  return { inputs, random };
}

function embeddingCase(tokens: number, width: number, options: Options = {}): OpCase {
  const { inputs, random } = makeInputs(tokens, width, options);
  const { tables = 'both', dropout, type = 'float32', prompts = 0, frozen = false } = options;
  const gradOut = randomMatrix(random, tokens, width, type);
  return {
    name: `${tokens} × ${width}, ${tables === 'none' ? 'words alone' : `${tables} positions`}${dropout ? ', dropout' : ''}${prompts ? ', prompts' : ''}`,
    type,
    alwaysFloat32: ['gradWords', 'gradPrompts', 'gradPositions', 'gradBlocks'],
    run(device) {
      const batch = uploadBatch(device, [{ length: tokens, context: tokens }], {
        ...inputs,
        vocabulary,
        prompts,
      });
      const table = (matrix: Matrix | undefined) => matrix && upload(device, matrix, { gradient: true });
      const words = upload(device, inputs.words, { gradient: !frozen });
      const promptTable = table(inputs.prompts);
      const positionTable = table(inputs.positionTable);
      const blockTable = table(inputs.blockTable);
      const gradient = upload(device, gradOut, { type });
      poisonFreeMemory(device);
      return record(device, () => {
        const out = device.embedding(batch, words, {
          prompts: promptTable,
          positionTable,
          blockTable,
          dtype: type,
          dropout: inputs.dropout,
        });
        const result = out.read();
        device.backward(out, gradient);
        return {
          out: result,
          ...(!frozen && { gradWords: words.readGradient() }),
          ...(promptTable && { gradPrompts: promptTable.readGradient() }),
          ...(positionTable && { gradPositions: positionTable.readGradient() }),
          ...(blockTable && { gradBlocks: blockTable.readGradient() }),
        };
      });
    },
    reference(precision) {
      const gradients = embeddingBackward(inputs, gradOut, precision);
      const { gradWords, gradPrompts, gradPositions, gradBlocks } = gradients;
      return {
        out: embedding(inputs, precision),
        ...(!frozen && { gradWords }),
        ...(inputs.prompts && { gradPrompts }),
        ...(inputs.positionTable && { gradPositions }),
        ...(inputs.blockTable && { gradBlocks }),
      };
    },
  };
}

opTable('embedding', [
  ...matrixSizes.map(([tokens, width]) => embeddingCase(tokens, width)),
  ...matrixSizes.map(([tokens, width]) => embeddingCase(tokens, width, { type: 'bfloat16' })),
  embeddingCase(17, 33, { tables: 'none' }),
  embeddingCase(17, 33, { tables: 'position' }),
  embeddingCase(66, 65, { dropout: 0.3 }),
  embeddingCase(17, 64, { dropout: 0.1 }),
  embeddingCase(66, 65, { prompts: 4, dropout: 0.3 }),
  embeddingCase(40, 64, { prompts: 3, frozen: true }),
  embeddingCase(66, 33, { prompts: 4, type: 'bfloat16', tables: 'none' }),
  embeddingCase(5, 257, { dropout: 0.5, type: 'bfloat16', tables: 'none' }),
]);

const reference = suite('embedding, the reference');
reference('its gradients are the finite differences', () => {
  const { inputs, random } = makeInputs(7, 3, { dropout: 0.3, prompts: 9 });
  const gradOut = randomMatrix(random, 7, 3);
  const value = (): number => weighted(embedding(inputs, exact), gradOut);
  const { gradWords, gradPrompts, gradPositions, gradBlocks } = embeddingBackward(inputs, gradOut, exact);
  assertGradient('words', inputs.words, value, gradWords);
  assertGradient('prompts', inputs.prompts as Matrix, value, gradPrompts);
  assertGradient('positions', inputs.positionTable as Matrix, value, gradPositions);
  assertGradient('blocks', inputs.blockTable as Matrix, value, gradBlocks);
});
reference.run();
