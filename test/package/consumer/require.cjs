// Loads the package as CommonJS programs do, and computes with it.
const { GLM, GlmError } = require('glm-native');

const sizes = {
  num_layers: 1,
  hidden_size: 16,
  num_attention_heads: 2,
  vocab_size: 32,
  max_sequence_length: 8,
};
const batch = {
  ids: Int32Array.of(1, 2, 3, 4),
  positions: Int32Array.of(0, 1, 2, 1),
  blockPositions: Int32Array.of(0, 0, 0, 1),
  offsets: Int32Array.of(0, 4),
  contextLengths: Int32Array.of(3),
};
GLM.create(sizes, { device: 'cpu', seed: 1 }).then(async (model) => {
  const { logits } = await model.forward(batch);
  const error = new GlmError('GLM_IO', 'found nothing');
  console.log(JSON.stringify({ device: model.device, logits: [...logits], code: error.code }));
});
