import path from 'node:path';

import { GLM, type LoadOptions } from '../../ts/glm.js';
import { writeFileAtomically } from '../../ts/files.js';
import { writeSafetensors } from '../../ts/io/safetensors.js';
import type { GlmConfigInput } from '../../ts/model/config.js';
import { withFolder } from './folder.js';
import type { GoldenTensors } from './golden.js';

/** A model with the golden weights that are named `prefix + name`, through a model folder. */
export function goldenModel(
  tensors: GoldenTensors,
  prefix: string,
  config: GlmConfigInput,
  options: LoadOptions = {},
): Promise<GLM> {
  return withFolder(async (folder) => {
    await writeFileAtomically(path.join(folder, 'config.json'), JSON.stringify(config));
    await writeSafetensors(
      path.join(folder, 'model.safetensors'),
      tensors.names
        .filter((name) => name.startsWith(prefix))
        .map((name) => ({
          name: name.slice(prefix.length),
          type: 'F32',
          shape: tensors.shape(name),
          bytes: () => new Uint8Array(tensors.floats(name).buffer),
        })),
    );
    return GLM.load(folder, { device: 'cpu', ...options });
  });
}
