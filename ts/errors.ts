/**
 * The one error type of this package. `code` is stable across releases and is what programs should test;
 * `message` is for people and says what was expected, what was found and what to do.
 */

/** Every code a {@link GlmError} can carry. */
export const glmErrorCodes = [
  'GLM_INVALID_ARGUMENT',
  'GLM_CONTEXT_LENGTH',
  'GLM_NO_MASK',
  'GLM_DISPOSED',
  'GLM_CHECKPOINT_FORMAT',
  'GLM_MISSING_WEIGHTS',
  'GLM_CORRUPT_FILE',
  'GLM_INCOMPATIBLE_MODEL',
  'GLM_TOKENIZER',
  'GLM_DATA',
  'GLM_IO',
  'GLM_LOCKED',
  'GLM_NUMERIC',
  'GLM_OUT_OF_MEMORY',
  'GLM_CUDA_UNAVAILABLE',
  'GLM_CUDA',
  'GLM_NO_BINARY',
  'GLM_DISTRIBUTED',
] as const;

export type GlmErrorCode = (typeof glmErrorCodes)[number];

/** `throw new GlmError('GLM_IO', message, { cause })`. */
export class GlmError extends Error {
  readonly code: GlmErrorCode;

  constructor(code: GlmErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'GlmError';
    this.code = code;
  }
}
