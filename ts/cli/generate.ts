import type { Command } from 'commander';

import type { FillOptions } from '../generate/options.js';
import type { GLM } from '../glm.js';
import { fillingCommand } from './decoding.js';

/** `glm generate`: goes on where texts end. */
export function generate(): Command {
  return fillingCommand('generate', 'Continue texts.', 'a text', { stream });
}

/** Writes the text, and what follows it as it comes. */
async function stream(model: GLM, text: string, decoding: FillOptions): Promise<void> {
  process.stdout.write(text);
  for await (const chunk of model.stream(text, decoding)) process.stdout.write(chunk.text);
  process.stdout.write('\n');
}
