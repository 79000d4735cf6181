/** What a process does with a GPU in the state that its environment describes; prints what came of it. */

import { devices, openDevice } from '../../../ts/devices.js';
import { GLM } from '../../../ts/glm.js';
import { native, type NativeDevice } from '../../../ts/native.js';

const config = { num_layers: 1, hidden_size: 8, num_attention_heads: 1, vocab_size: 64, max_sequence_length: 16 }; // prettier-ignore

const [way] = process.argv.slice(2);
process.on('warning', ({ message }) => console.log('warning:', message));

if (way === 'list') {
  for (const { name, available, reason } of devices()) console.log(name, available, reason);
  console.log('auto is', openDevice({}).name);
  await said(() => openDevice({ device: 'cuda' }));
} else if (way === 'memory') {
  const device = new native.NativeDevice({ cuda: 0 });
  await said(() => device.tensor([2 ** 28], 'float32', null, false));
  console.log('and then', await roundTrip(device));
  const large = { ...config, vocab_size: 2 ** 23 };
  await said(() => GLM.create(large, { device: 'cuda' }));
  using model = await GLM.create(large);
  console.log('auto is', model.device);
} else if (way === 'fault') {
  await fault();
} else if (way === 'two') {
  const both = [0, 1].map((cuda) => new native.NativeDevice({ cuda }));
  const read = await Promise.all([...both, ...both].map((device) => roundTrip(device)));
  console.log('devices', both.map(({ name }) => name).join(), 'read', read.join());
}

/** A large cast reads where nothing is: what the environment's FAULT stands for. */
async function fault(): Promise<void> {
  const device = openDevice({ device: 'cuda' });
  using model = await GLM.create(config, { device: 'cuda' });
  const large = device.tensor([2 ** 10, 2 ** 10], 'float32', null, false);
  await said(() => device.cast(large, 'bfloat16').read());
  console.log('again:');
  await said(() => device.tensor([2 ** 26], 'float32', null, false).read());
  console.log('another model:');
  await said(() => model.readParameter('word_embeddings.weight'));
  console.log('the CPU:', await roundTrip(openDevice({ device: 'cpu' })));
  console.log('opened anew:', await roundTrip(openDevice({ device: 'cuda' })));
}

async function roundTrip(device: NativeDevice): Promise<string> {
  const tensor = device.tensor([1, 3], 'float32', Float32Array.of(1, 2, 3), false);
  const copy = device.cast(tensor, 'bfloat16');
  const back = device.cast(copy, 'float32');
  return (await back.read()).join('');
}

async function said(run: () => unknown): Promise<void> {
  try {
    await run();
    console.log('no error');
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    console.log(code, message);
  }
}
console.log('reached the end');
