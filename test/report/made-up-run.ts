import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';

import type { TrainerEvent } from '../../ts/train/events.js';
import type { DescribedExample } from '../../ts/train/examples.js';

/** Markup and the end of a script, which must come out as text. */
export const hostile = '</script><b id="hostile">&amp;"\'';

export function step(number: number, loss: number): TrainerEvent {
  return {
    type: 'step',
    step: number,
    loss,
    gradientNorm: 1 + (number % 3),
    learningRate: 1e-3,
    tokens: 500,
    tokensPerSecond: 1000,
  };
}

export const example: DescribedExample = {
  objective: 'blank',
  contextLength: 4,
  tokens: [
    { id: 1, piece: '[CLS]', position: 0, blockPosition: 0 },
    { id: 9, piece: hostile, position: 1, blockPosition: 0 },
    { id: 3, piece: '[MASK]', position: 2, blockPosition: 0 },
    { id: 8, piece: 'Ġend', position: 3, blockPosition: 0 },
    { id: 4, piece: '<|startofpiece|>', position: 2, blockPosition: 1, target: 'Ġin' },
    { id: 7, piece: 'Ġin', position: 2, blockPosition: 2, target: '<|endofpiece|>' },
  ],
};

/** 60 steps with an evaluation of two objectives and a sample every 20 steps, and one skipped step. */
export const events: TrainerEvent[] = Array.from({ length: 60 }, (_, i): TrainerEvent[] => {
  const trained: TrainerEvent =
    i === 30
      ? { type: 'overflow', step: i, loss: NaN, gradientNorm: Infinity, skipped: 1 }
      : step(i, 8 / (1 + i / 20));
  if ((i + 1) % 20 !== 0) return [trained];
  const loss = 5 - i / 20;
  return [
    trained,
    {
      type: 'evaluation',
      step: i + 1,
      loss,
      tokens: 30,
      objectives: { blank: { loss: loss - 1, tokens: 10 }, document: { loss: loss + 0.5, tokens: 20 } },
    },
    {
      type: 'samples',
      step: i + 1,
      samples: [
        {
          prompt: `${hostile} [MASK].`,
          text: `${hostile} filled ${i}.`,
          blanks: [{ text: ` filled ${i}`, tokens: 2, logprob: -1 - 1 / (i + 1) }],
        },
      ],
    },
  ];
}).flat();

export async function makeRun(
  folder: string,
  metrics: string,
  examples: DescribedExample[] = [example],
): Promise<string> {
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, 'metrics.jsonl'), metrics);
  if (examples.length > 0) await writeFile(path.join(folder, 'examples.json'), JSON.stringify(examples));
  return folder;
}

export function lines(all: readonly TrainerEvent[]): string {
  return all.map((event) => `${JSON.stringify(event)}\n`).join('');
}
