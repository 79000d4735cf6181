const { devices, GlmError } = require('glm-native');

console.log(JSON.stringify({ devices: devices(), error: new GlmError('GLM_IO', 'found nothing').code }));
