import { devices, GlmError } from 'glm-native';

console.log(JSON.stringify({ devices: devices(), error: new GlmError('GLM_IO', 'found nothing').code }));
