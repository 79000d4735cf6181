import { devices, GlmError } from 'glm-native';

const names: string[] = devices().map((device) => device.name);
const available: boolean[] = devices().map((device) => device.available);
const error: Error = new GlmError('GLM_IO', 'found nothing');
// @ts-expect-error not one of the codes
const unknown = new GlmError('GLM_UNKNOWN', 'found nothing');

export { available, error, names, unknown };
