import { stat } from 'node:fs/promises';
import { GlmError } from '../../errors.js';
import { writeFileAtomically } from '../../files.js';
import { documentEntryBytes, DocumentIndex } from './document-index.js';
import { purposes } from './draws.js';
import { Permutation } from './permutation.js';

/** Which documents are for validation: this many, chosen at random by the seed. */
export interface SplitChoice {
  readonly documents: number;
  readonly seed: number;
}

/**
 * The indexes of both sides of a split; written to `name-train.bin` and `name-validation.bin` the first time.
 * @throws GlmError GLM_IO
 */
export async function openSplit(
  name: string,
  whole: DocumentIndex,
  { documents, seed }: SplitChoice,
): Promise<{ train: DocumentIndex; validation: DocumentIndex }> {
  const order = new Permutation(whole.documents, seed, 0, purposes.split);
  const open = async (
    side: string,
    count: number,
    belongs: (document: number) => boolean,
  ): Promise<DocumentIndex> => {
    const file = `${name}-${side}.bin`;
    const size = await stat(file).then(
      (found) => found.size,
      () => undefined,
    );
    if (size !== (count + 1) * documentEntryBytes) await writeSide(file, whole, belongs);
    return DocumentIndex.open(file, count);
  };
  const train = await open(
    'train',
    whole.documents - documents,
    (document) => order.at(document) >= documents,
  );
  try {
    const validation = await open('validation', documents, (document) => order.at(document) < documents);
    return { train, validation };
  } catch (error) {
    await train.close();
    throw error;
  }
}

async function writeSide(
  file: string,
  whole: DocumentIndex,
  belongs: (document: number) => boolean,
): Promise<void> {
  await writeFileAtomically(file, async (handle) => {
    await handle.write(new Uint8Array(documentEntryBytes));
    let end = 0;
    for await (const { first, entries } of whole.read()) {
      const own = new Float64Array(entries.length);
      let count = 0;
      for (let i = 0; 2 * i < entries.length - 2; i++) {
        if (!belongs(first + i)) continue;
        end += entries[2 * i + 2]! - entries[2 * i]!;
        own[2 * count] = end;
        own[2 * count + 1] = entries[2 * i + 3]!;
        count++;
      }
      await handle.write(new Uint8Array(own.buffer, 0, count * documentEntryBytes));
    }
  });
}

/** How many documents a share of them is: at least one on each side. @throws GlmError GLM_INVALID_ARGUMENT, GLM_DATA */
export function documentsOfShare(share: number, documents: number): number {
  if (!(share > 0 && share < 1)) {
    throw new GlmError(
      'GLM_INVALID_ARGUMENT',
      `split: expected validation to be a share between 0 and 1, found ${share}`,
    );
  }
  if (documents < 2) {
    throw new GlmError(
      'GLM_DATA',
      `split: expected at least two documents, found ${documents}; add files, or let another rule end documents ` +
        `(the option \`documents\`)`,
    );
  }
  return Math.min(documents - 1, Math.max(1, Math.round(share * documents)));
}
