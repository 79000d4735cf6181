export { GlmError, type GlmErrorCode } from './errors.js';
export { GLM, type CreateOptions, type DeviceOptions, type LoadOptions } from './glm.js';
export { type GlmConfig, type GlmConfigInput, presets } from './model/config.js';
