import { GLM, GlmError, Tokenizer, Trainer } from 'glm-native';

export async function loss(directory: string, file: string): Promise<number> {
  const tokenizer: Tokenizer = await Tokenizer.load(directory);
  const model = await GLM.load(directory, { device: 'cpu', dtype: 'float32' });
  const ids: Int32Array = await tokenizer.encode(file);
  // @ts-expect-error not a device
  await GLM.load(directory, { device: 7 });
  const { loss, tokens } = await model.loss({
    ids,
    positions: ids,
    blockPositions: ids,
    offsets: Int32Array.of(0, ids.length),
    contextLengths: Int32Array.of(ids.length),
  });
  model.dispose();
  return loss * tokens;
}

export const error: Error = new GlmError('GLM_IO', 'found nothing');
// @ts-expect-error not one of the codes
export const unknown = new GlmError('GLM_UNKNOWN', 'found nothing');
export type Options = ConstructorParameters<typeof Trainer>[1];
