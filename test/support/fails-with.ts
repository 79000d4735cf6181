import * as assert from 'uvu/assert';
import { GlmError, type GlmErrorCode } from '../../ts/errors.js';

/** Checks that something is refused with a GlmError of this code whose message says this. */
export async function failsWith(
  code: GlmErrorCode,
  message: RegExp,
  run: () => Promise<unknown>,
): Promise<void> {
  let error: unknown;
  await run().catch((thrown: unknown) => (error = thrown));
  assert.instance(error, GlmError);
  assert.is((error as GlmError).code, code, (error as GlmError).message);
  assert.match((error as GlmError).message, message);
}
