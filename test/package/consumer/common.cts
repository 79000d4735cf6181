import glm = require('glm-native');

const error: glm.GlmError = new glm.GlmError('GLM_IO', 'found nothing');
const model: Promise<glm.GLM> = glm.GLM.create('glm-tiny', { device: 'cpu' });
// @ts-expect-error a promise is not a model
const wrong: glm.GLM = glm.GLM.create('glm-tiny');

export = { error, model, wrong };
