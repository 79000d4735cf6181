/** Opens and loads a file, and says how that ended and how much memory it took: `open-checkpoint.ts FILE`. */

import { openCheckpoint } from '../../../ts/checkpoint/checkpoint.js';
import { loadParameters } from '../../../ts/checkpoint/load-parameters.js';
import { GlmError } from '../../../ts/errors.js';
import { native } from '../../../ts/native.js';

const device = new native.NativeDevice({ threads: 1 });
const before = process.resourceUsage().maxRSS;
let code = 'none';
try {
  const config = { num_attention_heads: 16, max_sequence_length: 8 };
  await loadParameters(device, await openCheckpoint(process.argv[2] as string, config), {});
} catch (error) {
  code = error instanceof GlmError ? error.code : String(error);
}
process.stdout.write(JSON.stringify({ code, grown: (process.resourceUsage().maxRSS - before) * 1024 }));
