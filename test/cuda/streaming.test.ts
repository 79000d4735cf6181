/**
 * What kernels that only stream move, counted by the simulated device: they use what they touch of memory, whose unit is
 * a sector of 32 bytes, and go over each array as often as their files say.
 *
 * Where lanes of a warp load the same bytes (a token's id, a row's mean), the sector comes once for all of them; such
 * loads are left out of the counts.
 */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { countersOf, missing, type Counters } from './program.js';

interface Streaming {
  /** Its name begins so, behind the namespaces. */
  kernel: string;
  op: string;
  shape: string;
  type?: 'f32' | 'bf16';
  /** Bytes of arrays that it has to load and to store. */
  loads: number;
  stores: number;
}

const sector = 32;
const least = 0.95;

const [tokens, width] = [24, 1024];
const embedding = { kernel: 'embed<', op: 'embedding forward', shape: '24x1024 of 500' };

const [rows, chunks] = [32, 2];
const ofRow = { weights: 4 * width, statistics: 2 * sector }; // a row's mean and rstd touch a sector each
const norm = { kernel: 'normalize<', op: 'layer norm forward', shape: '32x1024' };
const normBackward = { kernel: 'normalize_backward<', op: 'layer norm backward', shape: '32x1024' };

const [losses, words] = [5, 4099];
const loss = { kernel: 'loss_of_row<', op: 'cross entropy', shape: '5x24x4099' };

const elements = 40_000;
const parameters = { op: 'AdamW', shape: '4 tensors of 21096', count: 21_096 };

const table: Streaming[] = [
  { ...embedding, type: 'f32', loads: 3 * 4 * tokens * width, stores: 4 * tokens * width },
  { ...embedding, type: 'bf16', loads: 3 * 2 * tokens * width, stores: 2 * tokens * width },
  // The weights, for each row anew, come from the cache: two of them forward, and one three times backward.
  ...([4, 2] as const).flatMap((size): Streaming[] => {
    const activations = size * rows * width;
    const type = size === 4 ? 'f32' : 'bf16';
    return [
      {
        ...norm,
        type,
        loads: activations + rows * 2 * ofRow.weights,
        stores: activations + rows * ofRow.statistics,
      },
      {
        ...normBackward,
        type,
        loads: 2 * activations + rows * 3 * ofRow.weights,
        stores: activations + chunks * 2 * ofRow.weights,
      },
    ];
  }),
  // Logits are read for the loss, and again for the gradient.
  { ...loss, type: 'f32', loads: 2 * 4 * losses * words, stores: 4 * losses * words },
  { ...loss, type: 'bf16', loads: 2 * 4 * losses * words, stores: 2 * losses * words },
  // Parameter, gradient and both moments; and a copy in bfloat16.
  { kernel: 'adamw(', ...parameters, loads: 16 * parameters.count, stores: 14 * parameters.count },
  { kernel: 'sum_squares(', ...parameters, op: 'squared norm', loads: 4 * parameters.count, stores: 0 },
  { kernel: 'add<', op: 'add', shape: '40000', type: 'f32', loads: 8 * elements, stores: 4 * elements },
  { kernel: 'add<', op: 'add', shape: '40000', type: 'bf16', loads: 4 * elements, stores: 2 * elements },
  {
    kernel: 'convert<',
    op: 'cast from float32',
    shape: '40000',
    type: 'bf16',
    loads: 4 * elements,
    stores: 2 * elements,
  },
  {
    kernel: 'convert<',
    op: 'cast from float16',
    shape: '40000',
    type: 'f32',
    loads: 2 * elements,
    stores: 4 * elements,
  },
  ...['gather rows', 'scatter rows'].map((op): Streaming => ({
    kernel: 'copy_rows<',
    op,
    shape: '24x1024',
    type: 'bf16',
    loads: 2 * tokens * width,
    stores: 2 * tokens * width,
  })),
  { kernel: 'normal(', op: 'random normal', shape: '1027', loads: 0, stores: 4 * 1027 },
  // Of a linear layer: dropout of the gradient with the sums of 66 rows in two chunks, and the input's activation.
  ...[
    { kernel: 'drop_and_sum<', loads: 2 * 66 * 64, stores: 2 * 66 * 64 + 2 * 4 * 64 },
    { kernel: 'pack_rows<', loads: 2 * 66 * 72, stores: 2 * 66 * 72 },
  ].map((one): Streaming => ({
    ...one,
    op: 'linear backward',
    shape: '66x72x64 activation residual dropout',
    type: 'bf16',
  })),
];

/** Of a kernel's loads or stores but broadcasts, per launch: bytes that lanes asked for, and bytes of sectors touched. */
function traffic({ sites, launches }: Counters, kind: 'load_global' | 'store_global') {
  let [asked, touched] = [0, 0];
  for (const site of sites) {
    const ofSectors = sector * (site.sectors ?? 0);
    if (site.class !== kind || site.bytes > ofSectors) continue;
    asked += site.bytes / launches;
    touched += ofSectors / launches;
  }
  return { asked, touched };
}

const streaming = suite('CUDA, streaming kernels');

for (const { kernel, op, shape, type, loads, stores } of table) {
  const title = `${kernel.slice(0, -1)}: ${op} ${shape}${type === undefined ? '' : ` in ${type}`}`;
  if (missing !== undefined) {
    streaming.skip(`${title}: ${missing}`);
    continue;
  }
  streaming(title, async () => {
    const options = [
      '--small',
      '--op',
      op,
      '--shape',
      shape,
      ...(type === undefined ? [] : ['--type', type]),
    ];
    const [found, ...others] = (await countersOf(options)).filter(({ name }) =>
      name.includes(`(anonymous namespace)::${kernel}`),
    );
    assert.ok(found !== undefined && others.length === 0, `kernels ${kernel}: expected one`);
    for (const [kind, bytes] of [
      ['load_global', loads],
      ['store_global', stores],
    ] as const) {
      if (bytes === 0) continue;
      const { asked, touched } = traffic(found, kind);
      assert.ok(asked / touched >= least, `${kind}: ${asked} bytes of sectors of ${touched}`);
      assert.ok(
        touched >= bytes && touched <= bytes / least,
        `${kind}: sectors of ${touched} bytes, ${bytes} in the arrays`,
      );
    }
  });
}
streaming.run();
