// Loads the package and computes with it: a model of one layer, one example of four tokens.
import { GLM, GlmError } from 'glm-native';

const sizes = {
  num_layers: 1,
  hidden_size: 16,
  num_attention_heads: 2,
  vocab_size: 32,
  max_sequence_length: 8,
};
const model = await GLM.create(sizes, { device: 'cpu', seed: 1 });
const { logits } = await model.forward({
  ids: Int32Array.of(1, 2, 3, 4),
  positions: Int32Array.of(0, 1, 2, 1),
  blockPositions: Int32Array.of(0, 0, 0, 1),
  offsets: Int32Array.of(0, 4),
  contextLengths: Int32Array.of(3),
});
const error = new GlmError('GLM_IO', 'found nothing');
console.log(JSON.stringify({ device: model.device, logits: [...logits], code: error.code }));
