/** Twelve AdamW steps of the original (golden/train_small), and its schedules, to the tolerances of their README. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import type { DeviceOptions } from '../../ts/devices.js';
import type { GLM } from '../../ts/glm.js';
import { learningRate, type Schedule } from '../../ts/train/schedule.js';
import { Trainer } from '../../ts/train/trainer.js';
import { modelDevices, testDevices } from '../support/devices.js';
import { goldenJson, GoldenTensors } from '../support/golden.js';
import { goldenModel } from '../support/golden-model.js';

interface TrainSmall {
  config: {
    num_layers: number;
    hidden_size: number;
    num_attention_heads: number;
    vocab_size: number;
    max_sequence_length: number;
  };
  optimizer: { lr: number; weight_decay: number; betas: [number, number]; eps: number; grad_clip: number };
  schedule: { style: 'cosine'; warmup_iters: number; decay_iters: number; decay_ratio: number };
  steps: { step: number; lr: number; loss: number; grad_norm: number }[];
}

const golden = suite('training: the original numbers');

golden('learning rates of every schedule', () => {
  for (const schedule of goldenJson<(Schedule & { peak: number; values: number[] })[]>('lr_schedules.json')) {
    for (const [step, value] of schedule.values.entries()) {
      assert.ok(
        Math.abs(learningRate(schedule.peak, schedule, step) - value) <= 1e-9,
        `${schedule.style}, step ${step}`,
      );
    }
  }
});

const { config, optimizer, schedule, steps } = goldenJson<TrainSmall>('train_small.json');

function goldenTrainer(model: GLM, tensors: GoldenTensors): Trainer {
  return new Trainer(model, {
    data: steps.map(({ step }) => tensors.batch(`step${step}.`)),
    steps: steps.length,
    optimizer: {
      learningRate: optimizer.lr,
      beta1: optimizer.betas[0],
      beta2: optimizer.betas[1],
      epsilon: optimizer.eps,
      weightDecay: optimizer.weight_decay,
    },
    schedule: {
      style: schedule.style,
      warmup: schedule.warmup_iters,
      decay: schedule.decay_iters,
      ratio: schedule.decay_ratio,
    },
    clip: optimizer.grad_clip,
    dropout: 0,
  });
}

for (const { name: device, missing, options } of modelDevices) {
  const title = `train_small: losses, gradient norms and final weights of twelve steps on ${device}`;
  if (missing !== undefined) golden.skip(`${title}: ${missing}`);
  else golden(title, () => twelveSteps(options));
}

async function twelveSteps(options: DeviceOptions): Promise<void> {
  const tensors = await GoldenTensors.open('train_small.safetensors');
  using model = await goldenModel(tensors, 'init.', config, options);
  using trainer = goldenTrainer(model, tensors);
  let done = 0;
  for await (const event of trainer.run()) {
    if (event.type !== 'step') continue;
    const expected = steps[event.step] as TrainSmall['steps'][number];
    assert.ok(Math.abs(event.learningRate - expected.lr) <= 1e-9, `learning rate of step ${event.step}`);
    assert.ok(
      Math.abs(event.loss - expected.loss) <= 1e-5 * expected.loss,
      `loss ${event.loss} of step ${event.step}`,
    );
    assert.ok(
      Math.abs(event.gradientNorm - expected.grad_norm) <= 1e-4 * expected.grad_norm,
      `gradient norm ${event.gradientNorm} of step ${event.step}`,
    );
    done++;
  }
  assert.is(done, steps.length);
  for (const [name, { shape }] of model.parameters()) {
    const found = await model.readParameter(name);
    const expected = tensors.floats(`final.${name}`);
    const width = (shape[0] as number) / 3;
    for (let i = 0; i < found.length; i++) {
      // The key third of the bias has a gradient of exactly zero; Adam amplifies its rounding.
      const isKeyBias = name.endsWith('query_key_value.bias') && i >= width && i < 2 * width;
      const difference = Math.abs((found[i] as number) - (expected[i] as number));
      assert.ok(
        difference <= (isKeyBias ? 2e-4 : 2e-5),
        `${name}[${i}]: ${found[i]}, expected ${expected[i]}`,
      );
    }
  }
}

golden('train_small in bfloat16: losses within 1 %, on every device', async () => {
  const tensors = await GoldenTensors.open('train_small.safetensors');
  for (const { name, missing, options } of testDevices) {
    if (missing !== undefined) continue;
    using model = await goldenModel(tensors, 'init.', config, { ...options, dtype: 'bfloat16' });
    using trainer = goldenTrainer(model, tensors);
    const losses: number[] = [];
    for await (const event of trainer.run()) if (event.type === 'step') losses.push(event.loss);
    assert.is(losses.length, steps.length);
    for (const [step, loss] of losses.entries()) {
      const expected = steps[step]!.loss;
      const share = Math.abs(loss - expected) / expected;
      assert.ok(share <= 0.01, `${name}: loss ${loss} of step ${step}, expected ${expected}`);
      assert.ok(step > 0 || share > 0, 'computed in bfloat16');
    }
  }
});

golden.run();
