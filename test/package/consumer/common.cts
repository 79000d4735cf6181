import glm = require('glm-native');

const names: string[] = glm.devices().map((device) => device.name);
const error: glm.GlmError = new glm.GlmError('GLM_IO', 'found nothing');

export = { error, names };
